"""Random generators, open gradients and generations, on a small model of its own."""

import random

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from callbacks.resume import Generations, RunState, changes, generations, random_state, restore_random

CPU = torch.device("cpu")


def draw():
    return random.random(), float(np.random.random()), float(np.random.normal()), float(torch.rand(()))


def test_the_state_of_all_generators_survives_a_file_without_pickled_code(tmp_path):
    random.gauss(0, 1)
    np.random.normal()  # both keep a second normal number for the next call
    torch.save(random_state(CPU), tmp_path / "state.pt")
    wanted = [draw() for _ in range(3)]
    restore_random(torch.load(tmp_path / "state.pt", weights_only=True), CPU)
    assert [draw() for _ in range(3)] == wanted


class Model(LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        return (self.net(batch[0]) - 2).square().mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.1)


class Loader(DataLoader):
    """Counts what it has given out, as the project's own does."""

    def __init__(self):
        super().__init__(TensorDataset(torch.arange(8.0)[:, None]), generator=torch.Generator())
        self.given = self.skip = 0

    def state_dict(self):
        return {"given": self.given}

    def load_state_dict(self, state):
        self.skip = state["given"] % 8

    def __iter__(self):
        skip, self.skip, self.given = self.skip, 0, 0
        for batch in super().__iter__():
            self.given += 1
            if self.given > skip:
                yield batch


class SaveAt(Generations):
    """A checkpoint after one batch, wherever that falls in an accumulation."""

    def __init__(self, directory, batch):
        super().__init__(directory)
        self.batch = batch

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.fit_loop.total_batch_idx + 1 == self.batch:
            self.save(trainer)

    def on_train_epoch_end(self, trainer, pl_module):
        pass


def fit(directory, ckpt_path=None, batch=0, generations=None):
    model = Model()
    trainer = Trainer(
        accelerator="cpu", max_epochs=2, accumulate_grad_batches=3, logger=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[RunState({"seed": "1"}), generations or SaveAt(directory, batch)],
        reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    torch.manual_seed(3)
    trainer.fit(model, Loader(), ckpt_path=ckpt_path, weights_only=True)
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 14])
def test_a_run_cut_in_an_accumulation_ends_bit_equal(tmp_path, batch):
    whole = fit(tmp_path, batch=batch)
    (cut,) = generations(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(fit(tmp_path, cut), whole, strict=True))


def test_two_generations_are_kept_the_newest_first(tmp_path):
    fit(tmp_path, generations=Generations(tmp_path, every_n_steps=1))
    assert [path.name for path in generations(tmp_path)] == ["batch=000000016.ckpt", "batch=000000014.ckpt"]


def test_changes_lists_old_and_new():
    assert changes({"a": "1", "b": "2"}, {"b": "3", "c": "4"}) == {"a": ("1", None), "b": ("2", "3"), "c": (None, "4")}
