"""Steps that are not finite, on a small model of its own."""

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from callbacks.stability import NonFiniteError, NonFiniteGuard, any_non_finite


class Model(LightningModule):
    """Learns a line; batches (steps, of a single row) whose number is in `broken` have a NaN loss."""

    def __init__(self, broken=()):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(1, 1)
        self.broken = broken
        self.states = []  # before each step: weights, moments, learning rate

    def training_step(self, batch, batch_idx):
        loss = (self.layer(batch[0]) - 2).square().mean()
        return loss * float("nan") if batch_idx in self.broken else loss

    def on_train_batch_start(self, batch, batch_idx):
        optimizer = self.optimizers().optimizer
        moments = [value.clone() for state in optimizer.state.values() for value in state.values()]
        weights = [p.detach().clone() for p in self.parameters()]
        self.states.append((weights, moments, optimizer.param_groups[0]["lr"]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(model, rows=8, **options):
    events = []
    guard = NonFiniteGuard(lambda batch: [f"set/{int(value)}" for value in batch[0]], events.append)
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[guard], logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, **options,
    )  # fmt: skip
    data = DataLoader(TensorDataset(torch.arange(rows).float()[:, None]))
    trainer.fit(model, data)
    return trainer, events


def test_a_step_that_is_not_finite_changes_nothing_but_is_counted():
    model = Model(broken=(3,))
    trainer, events = fit(model)
    before, after = model.states[3], model.states[4]
    assert all(torch.equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before[1], after[1], strict=True))
    assert [lr for *_, lr in model.states] == pytest.approx([0.1 / (1 + step) for step in range(8)])
    assert trainer.global_step == 8
    assert events == [{"step": 3, "epoch": 0, "what": "loss", "in_a_row": 1, "samples": ["set/3"]}]


def test_of_accumulated_batches_all_are_named():
    _, events = fit(Model(broken=(2,)), accumulate_grad_batches=2)
    assert [event["samples"] for event in events] == [["set/2", "set/3"]]


def test_three_in_a_row_stop_and_others_in_between_do_not():
    fit(Model(broken=(0, 1, 3, 4, 6, 7)))
    with pytest.raises(NonFiniteError, match=r"set/2, set/3, set/4.*--fresh"):
        fit(Model(broken=(2, 3, 4)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_any_element_of_any_tensor_counts(value):
    good = torch.ones(3, 2)
    bad = good.clone()
    bad[1, 1] = value
    assert not any_non_finite([good, torch.zeros(2)])
    assert any_non_finite([good, bad])
    assert any_non_finite([bad.bfloat16(), good])
    assert not any_non_finite([])
