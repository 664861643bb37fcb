"""So that a run cut anywhere continues as if it had not been: what Lightning's checkpoint lacks, and when one is taken.

Lightning restores model, optimizer, schedule, scaler, loops and the loader's position. `RunState` adds the random generators
of every rank, the gradients of an accumulation that is under way, and what the run's numbers depend on. `Generations` takes a
checkpoint every so many optimizer steps and at every epoch's end, and keeps the last two.

No checkpoint is taken after an epoch's last batch and before its validation: Lightning would resume behind that validation.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from callbacks.ranks import gather

Identity = Mapping[str, str]


class RunState(Callback):
    """Puts random generators, open gradients and the run's identity into every checkpoint, and takes them out again.

    Args:
        identity: what decides the run's numbers, as text by name. It is only carried: `changes` compares it.
    """

    def __init__(self, identity: Identity = MappingProxyType({})) -> None:
        self.identity = identity
        self._restored: dict[str, Any] | None = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # Runs on every rank, so it may gather.
        checkpoint["run"] = {
            "identity": dict(self.identity),
            "ranks": gather({"random": random_state(pl_module.device), "gradients": open_gradients(trainer, pl_module)}),
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._restored = checkpoint["run"]["ranks"][trainer.global_rank]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The last moment before a batch is read: building loaders and validating draw random numbers too.
        if self._restored is None:
            return
        restore_random(self._restored["random"], pl_module.device)
        parameters = dict(pl_module.named_parameters())
        for name, gradient in self._restored["gradients"].items():
            parameters[name].grad = gradient.to(parameters[name].device)
        self._restored = None


class Generations(Checkpoint):
    """Checkpoints by number of batches, `<directory>/batch=000000123.ckpt`; only the newest are kept.

    Args:
        directory: of this run alone.
        every_n_steps: optimizer steps from one to the next; 0 takes them at the ends of epochs only.
        keep: how many stay. Two, so that one is whole while the other is written, and a damaged one has a predecessor.
    """

    def __init__(self, directory: Path, every_n_steps: int = 0, keep: int = 2) -> None:
        self.directory, self.every_n_steps, self.keep = directory, every_n_steps, keep

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if (
            self.every_n_steps
            and trainer.global_step % self.every_n_steps == 0
            and not accumulating(trainer)
            and not last_batch(trainer)
        ):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Take one now, and remove what is too old."""
        trainer.save_checkpoint(self.directory / f"batch={trainer.fit_loop.total_batch_idx + 1:09d}.ckpt")
        if trainer.is_global_zero:
            for old in generations(self.directory)[self.keep :]:
                old.unlink(missing_ok=True)


def generations(directory: Path) -> list[Path]:
    """The checkpoints of a directory, newest first."""
    return sorted(directory.glob("batch=*.ckpt"), reverse=True)


def changes(before: Identity, now: Identity) -> dict[str, tuple[str | None, str | None]]:
    """Name -> (old value, new value) of whatever differs; None is: not there."""
    names = sorted(set(before) | set(now))
    return {name: (before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)}


def last_batch(trainer: Trainer) -> bool:
    """Whether the batch at hand is its epoch's last."""
    return trainer.fit_loop.batch_idx + 1 >= trainer.num_training_batches


def accumulating(trainer: Trainer) -> bool:
    """Whether the batch at hand was added to gradients that wait for more; an epoch's last batch never waits."""
    return (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches != 0 and not last_batch(trainer)


def open_gradients(trainer: Trainer, module: LightningModule) -> dict[str, Tensor]:
    """The gradients of an accumulation that is under way, by parameter name; else none."""
    if not accumulating(trainer):
        return {}
    return {name: p.grad.detach().cpu() for name, p in module.named_parameters() if p.grad is not None}


def random_state(device: torch.device) -> dict[str, Any]:
    """The states of Python's, numpy's and torch's generators, of torch's on `device` too, as tensors and plain values."""
    version, numbers, gauss = random.getstate()
    kind, key, position, has_gauss, cached = np.random.get_state()
    return {
        "python": (version, torch.tensor(numbers), gauss),
        "numpy": (kind, torch.tensor(np.asarray(key, dtype=np.int64)), int(position), int(has_gauss), float(cached)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random(state: Mapping[str, Any], device: torch.device) -> None:
    """Put the generators back where they were."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    kind, key, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, key.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
