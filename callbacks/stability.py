"""A NaN or an infinity in a loss or a gradient: that step is not applied, its samples are written down, three in a row stop.

The optimizer's step happens without gradients, so parameters and moments stay as they are, while the step is counted and
the schedule and the data go on: the run stays a function of its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from callbacks.ranks import gather, largest


class NonFiniteError(RuntimeError):
    """Training has stopped: several steps in a row had a loss or gradients that are NaN or infinite."""


class NonFiniteGuard(Callback):
    """Leaves out steps whose loss or gradients are not finite.

    Under DDP the ranks agree: where one rank's loss is not finite, no rank applies the step. With float16 and its loss
    scaling, infinite gradients are how the scaler finds its scale; it leaves such steps out itself, and only losses count here.

    Args:
        samples_of: the names of a batch's samples.
        record: called on rank 0 with what happened: `step` and `epoch` (from 0), `what` (`loss` or `gradient`), `in_a_row`,
            and `samples`: of the ranks whose loss was not finite, or of all where only the gradient was not.
        limit: so many in a row are an error.
    """

    def __init__(
        self, samples_of: Callable[[Any], list[str]], record: Callable[[Mapping[str, Any]], None], limit: int = 3
    ) -> None:
        self.samples_of, self.record, self.limit = samples_of, record, limit
        self.in_a_row = 0
        self._recent: list[str] = []  # samples of the steps in a row
        self._losses: list[Tensor] = []  # since the last step: more than one where gradients accumulate
        self._samples: list[str] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._samples += self.samples_of(batch)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        own_loss = any_non_finite(self._losses)
        own = torch.stack([own_loss, any_non_finite([] if scales(trainer) else gradients).to(own_loss.device)])
        loss, gradient = (bool(flag) for flag in largest(own))
        if loss or gradient:
            # None rather than zero: the optimizer passes such parameters over, with their moments and their decay.
            optimizer.zero_grad(set_to_none=True)
            self._leave_out(trainer, "loss" if loss else "gradient", bool(own_loss) if loss else True)
        else:
            self.in_a_row, self._recent = 0, []
        self._losses, self._samples = [], []

    def state_dict(self) -> dict[str, Any]:
        return {"in_a_row": self.in_a_row, "recent": self._recent, "samples": self._samples}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.in_a_row, self._recent = state_dict["in_a_row"], list(state_dict["recent"])
        self._samples = list(state_dict["samples"])

    def _leave_out(self, trainer: Trainer, what: str, mine: bool) -> None:
        self.in_a_row += 1
        samples = [name for names in gather(self._samples if mine else []) for name in names]
        self._recent += samples
        if trainer.is_global_zero:
            self.record({
                "step": trainer.global_step, "epoch": trainer.current_epoch, "what": what, "in_a_row": self.in_a_row,
                "samples": samples,
            })  # fmt: skip
        if self.in_a_row >= self.limit:
            raise NonFiniteError(
                f"{self.in_a_row} steps in a row had a {what} that is NaN or infinite, the last at step {trainer.global_step};"
                f" none of them was applied. Their samples: {', '.join(self._recent)}. Look at these (media, features, labels);"
                " if they are sound, lower the learning rate or raise the precision, and start over with --fresh"
            )


def any_non_finite(tensors: list[Tensor]) -> Tensor:
    """() bool: whether any element of any tensor is NaN or infinite; one number, so one wait for the device.

    Of sharded tensors it is this rank's own part, which may be empty.
    """
    local = [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]
    local = [tensor for tensor in local if tensor.numel()]
    return ~torch.isfinite(get_total_norm(local, float("inf"))) if local else torch.tensor(False)


def scales(trainer: Trainer) -> bool:
    """Whether losses are scaled (float16), so that infinite gradients are part of the method."""
    plugin = trainer.precision_plugin
    return isinstance(plugin, MixedPrecision) and plugin.scaler is not None
