"""The data modules under a real Trainer, on real files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import data_modules
from data_modules.curriculum import CurriculumDataModule
from data_modules.extraction import ClipDataModule, clips_of
from data_modules.features import ContentKeys, FeatureStore
from data_modules.inputs import MediaInputs, StoredFeatures
from data_modules.loading import collate_items
from data_modules.media import MediaError, Reason
from data_modules.module import AffectDataModule
from data_modules.named import CAER
from data_modules.record import Item, Media, Sample, Task

Write = Callable[..., Path]
SMALL = MediaInputs(frames=2, size=16, clips=2, seconds=0.1)


def tone(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 220.0 * np.arange(round(seconds * 16_000)) / 16_000)).astype(np.float32)


class Ids:
    """Reads nothing: the input of a sample is its number."""

    def __call__(self, sample: Sample) -> dict[str, torch.Tensor]:
        if sample.meta.get("bad"):
            raise MediaError(f"{sample.id}.mp4", Reason.UNREADABLE, "damaged")
        return {"number": torch.tensor([float(sample.id)])}


def numbered(dataset: str, numbers: Sequence[int], **fields: Any) -> list[Sample]:
    return [Sample(str(n), dataset, "train", (Task.ERI, Task.OV_MER), Media(Path(f"{n}.mp4")), meta=fields) for n in numbers]


def asked(items: Sequence[Item]) -> list[tuple[str, str, int]]:
    return [(item.sample.id, item.task.value, item.draw) for item in items]


def seen_by(module: AffectDataModule, epoch: int = 0) -> list[list[tuple[str, str, int]]]:
    loader = module.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def mixture(**options: Any) -> AffectDataModule:
    train = [*numbered("a", range(20)), *numbered("b", range(100, 105))]
    options = {"weights": {"a": 0.5, "b": 0.5}, "batch_size": 4, "steps_per_epoch": 5, "seed": 3, "inputs": Ids(), **options}
    return AffectDataModule(train, numbered("a", range(3)), collate=asked, **options)


@pytest.fixture
def clips(tmp_path: Path, make_clip: Write, make_wav: Write) -> list[Sample]:
    """A clip with both, a silent one, and sound alone."""
    both = make_clip(tmp_path / "both.mp4", frames=4, sound=tone(0.5))
    silent = make_clip(tmp_path / "silent.mp4", frames=4)
    sound = make_wav(tmp_path / "sound.wav", tone(0.5))
    media = {"both": Media(both), "silent": Media(silent), "sound": Media(audio=sound)}
    return [
        Sample(name, "toy", "train", (Task.MER,), where, label="happy", candidates=("happy", "sad"))
        for name, where in media.items()
    ]


def test_batches_are_the_same_for_any_number_of_workers():
    alone, workers = seen_by(mixture()), seen_by(mixture(num_workers=2))
    assert alone == workers
    assert len(alone) == 5
    assert seen_by(mixture(), epoch=1) != alone
    ids = [int(id_) for batch in alone for id_, _, _ in batch]
    assert sum(n >= 100 for n in ids) == 10


def test_a_loader_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    seen_by(mixture(num_workers=2))
    assert torch.equal(before, torch.get_rng_state())


def test_validation_asks_each_sample_each_of_its_tasks_in_order():
    batches = list(mixture(validation_batch_size=4).val_dataloader())
    assert [(i, t) for batch in batches for i, t, _ in batch] == [(str(n), t) for n in range(3) for t in ("eri", "ov_mer")]
    only = mixture(task_weights={"a": {Task.ERI: 1.0}, "b": {Task.ERI: 1.0}})
    assert {t for batch in only.val_dataloader() for _, t, _ in batch} == {"eri"}
    assert {t for batch in seen_by(only) for _, t, _ in batch} == {"eri"}


@pytest.mark.parametrize("num_workers", [0, 2])
def test_bad_clips_are_an_error_or_are_left_out_and_counted(num_workers: int):
    train = [*numbered("a", range(6)), *numbered("a", [6, 7], bad=True)]
    options: dict[str, Any] = {
        "inputs": Ids(),
        "collate": asked,
        "batch_size": 4,
        "steps_per_epoch": 4,
        "num_workers": num_workers,
    }
    with pytest.raises((MediaError, RuntimeError), match=r"a/[67]: damaged; on_bad='skip'"):  # from a worker: RuntimeError
        seen_by(AffectDataModule(train, **options))
    module = AffectDataModule(train, on_bad="skip", **options)
    ids = [i for batch in seen_by(module) for i, _, _ in batch]
    assert sorted(ids) == sorted(2 * [str(n) for n in range(6)])
    assert (module.skips.seen, module.skips.skipped) == (12, 4)
    assert set(module.skips.reasons["unreadable"]) == {"a/6", "a/7"}
    assert str(module.skips).startswith("12 seen, 4 skipped (of 16 drawn)")
    assert "unreadable: 2 clip(s): a/" in str(module.skips)


def test_a_batch_of_bad_clips_takes_the_next_good_one():
    train = [*numbered("a", [0, 1, 2], bad=True), *numbered("a", [3]), *numbered("b", [9])]
    module = AffectDataModule(
        train, inputs=Ids(), collate=asked, batch_size=1, steps_per_epoch=4, on_bad="skip", weights={"a": 1.0, "b": 0.0}
    )
    assert [i for batch in seen_by(module) for i, _, _ in batch] == ["3"] * 4


class Recorder(LightningModule):
    """Remembers what it is given; its weight depends on it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen.append(batch)
        return self.weight * float(batch[0][0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(root: Path, **options: Any) -> Trainer:
    options = {"max_epochs": 2, **options}
    return Trainer(
        default_root_dir=root, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, limit_val_batches=0, **options,
    )  # fmt: skip


class SaveAt(Callback):
    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize(("num_workers", "reload"), [(0, 0), (0, 1), (2, 1)])
@pytest.mark.parametrize("cut", [1, 4, 5, 7, 10])
def test_a_run_cut_anywhere_goes_on_as_if_it_had_not_been(tmp_path: Path, cut: int, num_workers: int, reload: int):
    whole, after = Recorder(), Recorder()
    path = tmp_path / "cut.ckpt"
    options = {"reload_dataloaders_every_n_epochs": reload}
    trainer(tmp_path, callbacks=[SaveAt(cut, path)], **options).fit(whole, datamodule=mixture())
    trainer(tmp_path, **options).fit(after, datamodule=mixture(num_workers=num_workers), ckpt_path=path)
    assert len(whole.seen) == 10
    assert after.seen == whole.seen[cut:]


def test_a_curriculum_shows_one_member_at_a_time(tmp_path: Path):
    class Moving(Recorder):
        def on_train_epoch_end(self) -> None:
            if self.trainer.current_epoch == 0:
                self.trainer.datamodule.select("second", 1)  # type: ignore[attr-defined]

    def second() -> AffectDataModule:
        return AffectDataModule(numbered("c", range(50)), inputs=Ids(), collate=asked, batch_size=3, steps_per_epoch=4, seed=9)

    both, alone = Moving(), Recorder()
    data = CurriculumDataModule({"first": mixture(), "second": second()})
    trainer(tmp_path, max_epochs=3, reload_dataloaders_every_n_epochs=1).fit(both, datamodule=data)
    trainer(tmp_path, max_epochs=2, reload_dataloaders_every_n_epochs=1).fit(alone, datamodule=second())
    assert len(both.seen) == 5 + 8
    assert both.seen[5:] == alone.seen
    with pytest.raises(MisconfigurationException, match=r"no data module 'third'; there are \['first', 'second'\]"):
        data.select("third")


def test_modalities_that_a_clip_lacks_are_left_out(clips: list[Sample]):
    assert [sorted(SMALL(sample)) for sample in clips] == [["clips", "frames"], ["frames"], ["clips"]]
    inputs = SMALL(clips[0])
    assert inputs["frames"].shape == (2, 3, 16, 16)
    assert inputs["clips"].shape == (2, 1600)
    speech = MediaInputs(clips=2, seconds=0.1, modalities=("speech", "text"))
    assert sorted(speech(clips[0])) == ["clips"]
    with pytest.raises(MediaError, match="no_audio"):
        speech(clips[1])
    assert MediaInputs(modalities=("text",))(clips[1]) == {}


def test_the_default_batch_is_padded_and_says_what_is_there(clips: list[Sample]):
    batch = next(iter(AffectDataModule((), clips, inputs=SMALL, batch_size=3).val_dataloader()))
    assert batch["id"] == ["both", "silent", "sound"]
    assert batch["label_index"].tolist() == [0, 0, 0]
    assert batch["inputs"]["frames"].shape == (3, 2, 3, 16, 16)
    assert batch["present"]["frames"].tolist() == [True, True, False]
    assert batch["present"]["clips"].tolist() == [True, False, True]
    assert batch["inputs"]["clips"][1].abs().sum() == 0
    assert batch["score"].isnan().all()
    items = [Item(clips[0], Task.MER, 0, {"x": torch.ones(n, 2)}) for n in (1, 3)]
    assert collate_items(items)["inputs"]["x"].sum((1, 2)).tolist() == [2, 6]


class Mean(LightningModule):
    """A tower: the mean picture."""

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> dict[str, Any]:
        return {"key": batch["key"], "features": {"visual.last": batch["frames"].float().mean((3, 4))}}


def test_features_are_extracted_once_and_read_instead_of_media(tmp_path: Path, clips: list[Sample]):
    broken = replace(clips[0], id="broken", media=Media(tmp_path / "broken.mp4"))
    (tmp_path / "broken.mp4").write_bytes(b"<html>")
    keys = ContentKeys(tmp_path / "keys.json")
    samples = [*clips, replace(clips[0], id="the same clip again"), broken]
    found = clips_of(samples, keys)
    assert [clip.sample.id for clip in found] == ["both", "silent", "sound", "broken"]
    space = FeatureStore(tmp_path / "store").space("visual", SMALL.recipe("frames"))
    data = ClipDataModule(found, SMALL, medium="frames", without=space, batch_size=2, on_bad="skip")
    for batch in trainer(tmp_path).predict(Mean(), datamodule=data):
        rows = {name: list(tensor) for name, tensor in batch["features"].items()}
        space.write({key: {name: rows[name][n] for name in rows} for n, key in enumerate(batch["key"])})
    space.write({key: {} for key in data.absent})
    assert data.skips.skipped == 1
    assert set(data.skips.reasons) == {"unreadable"}
    assert data.absent == [keys(clips[2].media)]
    assert ClipDataModule(found, SMALL, medium="frames", without=space).clips == [found[3]]

    stored = StoredFeatures({"visual": space}, ContentKeys(tmp_path / "keys.json"))
    assert torch.equal(stored(samples[3])["visual.last"], SMALL(clips[0])["frames"].float().mean((2, 3)))
    module = AffectDataModule((), samples, inputs=stored, collate=asked, batch_size=8, on_bad="skip")
    module.setup()
    assert [i for i, _, _ in next(iter(module.val_dataloader()))] == ["both", "silent", "the same clip again"]
    assert {reason: list(ids) for reason, ids in module.skips.reasons.items()} == {
        "no_video": ["toy/sound"], "not_extracted": ["toy/broken"],
    }  # fmt: skip


def test_two_ranks_extract_and_score_each_clip_once(tmp_path: Path, clips: list[Sample]):
    class Ranks:
        world_size = 2
        strategy = None
        current_epoch = 0
        strategy = None

        def __init__(self, rank: int) -> None:
            self.global_rank = rank

    ids = []
    for rank in (0, 1):
        module = AffectDataModule((), clips, inputs=SMALL, collate=asked, batch_size=1)
        module.trainer = Ranks(rank)  # type: ignore[assignment]
        ids += [i for batch in module.val_dataloader() for i, _, _ in batch]
    assert sorted(ids) == ["both", "silent", "sound"]


def test_a_data_set_by_name(tmp_path: Path, make_clip: Write):
    for split in ("train", "validation", "test"):
        for folder in ("Anger", "Happy"):
            make_clip(tmp_path / f"CAER/{split}/{folder}/0001.avi", frames=3, codecs=("mpeg4", ""))
    module = CAER(tmp_path, batch_size=2, inputs=MediaInputs(frames=2, size=16, modalities=("visual",)))
    assert isinstance(module, LightningDataModule)
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))
    assert batch["inputs"]["frames"].shape == (2, 2, 3, 16, 16)
    assert sorted(batch["label"]) == ["anger", "happy"]
    assert len(next(iter(module.test_dataloader()))["id"]) == 2


def test_importing_costs_nothing():
    code = "import data_modules, sys; print(sorted({'torch', 'lightning', 'av'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {getattr(data_modules, name).__name__ for name in ("AvaMERG", "AffectDataModule")} == {"AvaMERG", "AffectDataModule"}
    with pytest.raises(AttributeError, match="no 'Imaginary'"):
        _ = data_modules.Imaginary
    assert json.dumps(data_modules.__all__)
