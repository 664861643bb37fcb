"""Accounting: seen + skipped by reason = listed, for every epoch, over workers and processes, cut and resumed or not."""

import json
import random
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.accounting import AccountingError, EpochAccounting
from data_modules.media import MediaError, Reason
from data_modules.module import AffectDataModule
from data_modules.record import Media, Sample, Task
from experiments.accounting import read_accounts

BAD = {5, 6, 21}


class Numbers:
    """The input of a sample is its number; some cannot be read."""

    def __call__(self, sample: Sample) -> dict[str, torch.Tensor]:
        if int(sample.id) in BAD:
            raise MediaError(f"{sample.id}.mp4", Reason.UNREADABLE, "damaged")
        return {"number": torch.tensor([float(sample.id)])}


def rows_of(items) -> dict:
    """A batch that Lightning can move: numbers and names."""
    return {"number": torch.cat([item.inputs["number"] for item in items]), "id": [item.sample.id for item in items]}


class Adding(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        return self.weight * batch["number"].sum()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class SaveAt(Callback):
    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def data(**options) -> AffectDataModule:
    samples = [Sample(str(n), "toy", "train", (Task.ERI,), Media(Path(f"{n}.mp4")), description="x") for n in range(40)]
    return AffectDataModule(samples, samples[:10], inputs=Numbers(), collate=rows_of, batch_size=4, on_bad="skip", **options)


def fit(root: Path, rows: list, *callbacks, max_skipped=1.0, epochs=2, ckpt_path=None, **options) -> None:
    accounting = EpochAccounting(rows.append, max_skipped)
    trainer = Trainer(
        default_root_dir=root, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, num_sanity_val_steps=0, max_epochs=epochs, reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False, callbacks=[*callbacks, accounting],
    )  # fmt: skip
    trainer.fit(Adding(), datamodule=data(**options), ckpt_path=ckpt_path)


@pytest.mark.parametrize("workers", [0, 2])
def test_every_draw_is_accounted_for(workers, tmp_path, record):
    rows: list = []
    fit(tmp_path, rows, num_workers=workers)
    assert [(row["epoch"], row["split"]) for row in rows] == [(e, s) for e in (0, 1) for s in ("validation", "train")]
    for row in rows:
        assert row["listed"] == row["seen"] + sum(row["skipped"].values()) == (40 if row["split"] == "train" else 10)
        bad = ["toy/21", "toy/5", "toy/6"] if row["split"] == "train" else ["toy/5", "toy/6"]
        assert row["samples"] == {"unreadable": bad}
    draws = sum(row["listed"] for row in rows)
    record("unreadable clips", f"{workers} workers, every epoch accounted for", draws, "seen + skipped by reason = listed")


def test_an_epoch_that_was_cut_is_accounted_for_as_a_whole(tmp_path, times, record):
    whole: list = []
    fit(tmp_path, whole)
    cuts = random.Random(1).sample(range(1, 20), times(5, 19))
    for cut in cuts:
        after: list = []
        fit(tmp_path, [], SaveAt(cut, tmp_path / "cut.ckpt"))
        fit(tmp_path, after, ckpt_path=tmp_path / "cut.ckpt")
        assert after == whole[-len(after) :]
        assert any(row["split"] == "train" for row in after)
    record("cut in mid-epoch and resumed", "accounts of the whole epochs", len(cuts), "equal to the uninterrupted run's")


def test_too_many_are_an_error_with_the_numbers_and_names(tmp_path):
    rows: list = []
    with pytest.raises(
        AccountingError, match=r"epoch 1, train: of 40 draws, more than 1.00%.*unreadable [1-3].*data.max_skipped"
    ):
        fit(tmp_path, rows, max_skipped=0.01)
    fit(tmp_path, rows, max_skipped=0.25)


def test_counts_that_do_not_add_up_are_an_error(tmp_path):
    class Losing(Callback):
        def on_train_epoch_end(self, trainer, module):
            trainer.train_dataloader.account.seen -= 1

    with pytest.raises(AccountingError, match=r"36 seen \+ 3 skipped \{'unreadable': 3\} is not 40 listed"):
        fit(tmp_path, [], Losing())


def test_a_batch_of_which_nothing_can_be_read_takes_the_next_sample_and_is_counted(tmp_path):
    rows: list = []
    samples = [Sample(str(n), "toy", "train", (Task.ERI,), Media(Path(f"{n}.mp4")), description="x") for n in (5, 6, 7)]
    module = AffectDataModule(samples, inputs=Numbers(), collate=rows_of, batch_size=1, steps_per_epoch=3, on_bad="skip")
    given = [batch["id"] for batch in module.train_dataloader()]
    assert given == [["7"]] * 3
    account = module.skips.as_dict()
    assert (account["listed"], account["seen"], account["skipped"], account["substituted"]) == (3, 1, {"unreadable": 2}, 2)
    assert rows == []


def test_the_run_writes_them_down(whole):
    rows = read_accounts(whole.output / "accounting.jsonl")
    assert [row["epoch"] for row in rows if row["split"] == "train"] == list(range(8))
    assert all(row["listed"] == row["seen"] == 8 for row in rows if row["split"] == "train")
    logged = [json.loads(line) for line in (whole.output / "logs/p2e/metrics.jsonl").read_text().splitlines()]
    assert sum("data/listed" in row for row in logged) == 8
