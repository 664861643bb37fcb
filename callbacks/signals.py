"""Being asked to stop: a checkpoint at the next batch's end, then an exit status that says by whom.

SIGTERM (a scheduler, `kill`) exits with 143, SIGINT (Ctrl+C) with 130; before training has begun there is nothing to save, and
both end the process at once. Under SLURM, `#SBATCH --signal=USR1@90` sends SIGUSR1 before the time is up: the job is
put back in its queue by `scontrol requeue`, and goes on from the checkpoint when it runs again.

Lightning's own handlers save inside the signal handler, wherever the step happens to be, and talk to other ranks from
there; these only take note.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.ranks import largest
from callbacks.resume import Generations, generations, last_batch

WATCHED = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name))


class StopOnSignal(Callback):
    """Saves and stops when a signal has come, on all ranks at the same batch.

    A signal that comes with an epoch's last batch or in validation is obeyed at the epoch's end. Validation that lasts longer
    than `patience` is given up without a checkpoint: what is lost are the steps since the last one, and they are repeated.

    Args:
        generations: takes the checkpoint.
        patience: seconds from the signal that validation may still take.
        say: told, on rank 0, what was saved.
    """

    def __init__(self, generations: Generations, patience: float = 20.0, say: Callable[[str], None] = print) -> None:
        self.generations, self.patience, self.say = generations, patience, say
        self.received: signal.Signals | None = None
        self.received_at = 0.0
        self.training = False
        self._leaving: signal.Signals | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of signals inside this block, and give the handlers back after it."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set handlers
            return
        before = {number: signal.getsignal(number) for number in self._watched()}
        self._listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.training = True
        self._listen()  # again: the trainer has put its own handlers in between

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if not last_batch(trainer):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any) -> None:
        alone = trainer.world_size == 1  # of several ranks, one that left would leave the others waiting
        if alone and self.received and time.monotonic() - self.received_at > self.patience:
            self.say(f"{self.received.name}: validation was given up; the same command goes on from the newest checkpoint")
            raise SystemExit(128 + self.received)

    # Saved is at a batch's end, left at the next thing that begins: in between, loggers take the batch's values.

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self._leave(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._leave(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.training = False
        self._leave(trainer)

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in self._watched():
                signal.signal(number, self._note)

    @staticmethod
    def _watched() -> tuple[signal.Signals, ...]:
        in_slurm = "SLURM_JOB_ID" in os.environ
        return tuple(number for number in WATCHED if in_slurm or number.name != "SIGUSR1")

    def _note(self, number: int, frame: FrameType | None) -> None:
        second_interrupt = self.received == signal.SIGINT == number  # a second Ctrl+C means: now
        if self.training and not second_interrupt:
            self.received, self.received_at = signal.Signals(number), time.monotonic()
            return
        if number == getattr(signal, "SIGUSR1", None):
            requeue()
        # Not an exception: it would come up inside whatever runs now, and a library may take it for its own.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + number)

    def _save(self, trainer: Trainer) -> None:
        # Ranks agree on the highest signal that any of them has received.
        if number := int(largest(torch.tensor(self.received or 0, device=trainer.strategy.root_device))):
            self.generations.save(trainer)
            self._leaving = signal.Signals(number)

    def _leave(self, trainer: Trainer) -> None:
        if self._leaving is not None:
            if trainer.is_global_zero:
                newest = generations(self.generations.directory)[0]
                self.say(f"{self._leaving.name}: saved {newest}; the same command goes on from there")
            if self._leaving.name == "SIGUSR1":
                requeue()
            raise SystemExit(128 + self._leaving)


def requeue() -> None:
    """Put this SLURM job back in its queue, from its first process; an element of an array goes back alone."""
    if os.environ.get("SLURM_PROCID", "0") != "0":
        return
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        warnings.warn(f"job {job} is not back in its queue ({error}); submit it again, it goes on from its checkpoint")
