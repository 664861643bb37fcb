"""Batches of real files: the same order and content for any number of workers and ranks, and after a cut."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from data_modules.datasets import load_samples
from data_modules.fixtures.catalogue import fixtures_of, write_fixture
from data_modules.inputs import MediaInputs
from data_modules.module import AffectDataModule
from data_modules.record import Task

STEPS = 4
Row = tuple[str, str, str]  # id, task, digest of everything that was read of it


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for name in ("CAER", "CREMA-D"):
        write_fixture(fixtures_of(name)[0], root)
    return root


def module(root: Path, batch_size: int = 6, **options: Any) -> AffectDataModule:
    """Pictures and voices, some of them broken, drawn by weight."""
    train = {name: load_samples(name, root, "train", on_bad="skip") for name in ("CAER", "CREMA-D")}
    return AffectDataModule(
        train, weights={"CAER": 0.5, "CREMA-D": 0.5}, batch_size=batch_size, steps_per_epoch=STEPS, seed=3, on_bad="skip",
        inputs=MediaInputs(frames=2, size=16, clips=2, seconds=0.1), task_weights={"CAER": {Task.MER: 1.0}}, **options,
    )  # fmt: skip


def rows_of(batch: dict[str, Any]) -> list[Row]:
    """What a batch holds, row by row; without the padding, which depends on the other rows."""
    rows = []
    for index, name in enumerate(batch["id"]):
        digest = blake2b(f"{batch['label'][index]} {batch['label_index'][index]}".encode(), digest_size=8)
        for kind, tensor in sorted(batch["inputs"].items()):
            if batch["present"][kind][index]:
                digest.update(kind.encode() + tensor[index].numpy().tobytes())
        rows.append((f"{batch['dataset'][index]}/{name}", batch["task"][index], digest.hexdigest()))
    return rows


def drawn(data: AffectDataModule, epoch: int = 1) -> list[list[Row]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
    return [rows_of(batch) for batch in loader]


@pytest.fixture(scope="module")
def expected(root: Path) -> list[list[Row]]:
    data = module(root)
    batches = drawn(data)
    assert data.skips.skipped  # a broken clip is among the draws
    assert {row[0].split("/")[0] for batch in batches for row in batch} == {"CAER", "CREMA-D"}
    return batches


@pytest.mark.parametrize("workers", [1, 4])
def test_order_and_content_are_the_same_for_any_number_of_workers(root: Path, expected: list[list[Row]], workers: int):
    data, alone = module(root, num_workers=workers), module(root)
    assert drawn(data) == expected == drawn(alone)
    assert data.skips.as_dict() == alone.skips.as_dict()
    assert drawn(module(root), epoch=2) != expected


@pytest.mark.parametrize("workers", [0, 1])
def test_two_ranks_put_together_are_one(root: Path, expected: list[list[Row]], workers: int):
    class Rank:
        world_size, current_epoch, strategy = 2, 1, None

        def __init__(self, rank: int) -> None:
            self.global_rank = rank

    parts = []
    for rank in (0, 1):
        data = module(root, batch_size=3, num_workers=workers)
        data.trainer = Rank(rank)  # type: ignore[assignment]
        parts.append(drawn(data))
    for whole, first, second in zip(expected, *parts, strict=True):
        assert sorted(whole) == sorted(first + second)


class Recorder(LightningModule):
    """Remembers the batches that it was trained on."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.path, self.seen = path, []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> torch.Tensor:
        self.seen.append(rows_of(batch))
        return (self.weight * len(batch["id"])).sum()

    def on_train_end(self) -> None:
        if self.path is not None:
            self.path.with_suffix(f".{self.global_rank}").write_text(json.dumps(self.seen))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class SaveAt(Callback):
    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def trainer(folder: Path, **options: Any) -> Trainer:
    return Trainer(
        default_root_dir=folder, accelerator="cpu", max_epochs=2, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, limit_val_batches=0, **options,
    )  # fmt: skip


@pytest.mark.parametrize(("cut", "workers"), [(2, 0), (3, 4), (STEPS, 1), (STEPS + 1, 4)])
def test_a_run_stopped_mid_epoch_continues_with_exactly_the_remaining_samples(
    root: Path, tmp_path: Path, cut: int, workers: int
):
    whole, after = Recorder(), Recorder()
    trainer(tmp_path, callbacks=[SaveAt(cut, tmp_path / "cut.ckpt")]).fit(whole, datamodule=module(root))
    trainer(tmp_path).fit(after, datamodule=module(root, num_workers=workers), ckpt_path=tmp_path / "cut.ckpt")
    assert len(whole.seen) == 2 * STEPS
    assert after.seen == whole.seen[cut:]


@pytest.mark.slow
def test_two_real_ranks_see_what_one_would(root: Path, tmp_path: Path):
    one = Recorder()
    trainer(tmp_path).fit(one, datamodule=module(root))
    two = trainer(tmp_path, devices=2, strategy="ddp_fork")
    two.fit(Recorder(tmp_path / "seen"), datamodule=module(root, batch_size=3))
    parts = [json.loads((tmp_path / f"seen.{rank}").read_text()) for rank in (0, 1)]
    for whole, first, second in zip(one.seen, *parts, strict=True):
        assert sorted(map(list, whole)) == sorted(first + second)
