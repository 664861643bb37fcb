"""P2E as a Lightning callback: which parameters train, on which data, with which optimizer, and when that changes.

    trainer.fit
      setup                    begin the first phase           } before DDP wraps the module
      on_load_checkpoint       begin the checkpoint's phase    } and before optimizers are built
      on_train_start           leave every phase that is over (a checkpoint taken after an epoch's last batch)
      ┌ on_train_epoch_start
      │   training and validation batches of the phase
      └ on_train_epoch_end     last epoch of a phase: write the phase's result, begin the next one, rewire
      on_fit_end               write the last phase's file if no hook above could

A phase begins in exactly one place, `P2ECurriculum._begin`, and it seeds the random generators there, so one fit with all
phases inside it and one process per phase give the same weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the curriculum, as data.

    Attributes:
        name: e.g. `phase2`; names the boundary checkpoint.
        data: the data module that `trainer.datamodule.select` is asked for.
        trainable: glob patterns over parameter names; everything else is frozen.
        epochs: length of the phase.
        steps_per_epoch: optimizer steps an epoch has; the schedule's length is `epochs * steps_per_epoch`.
        optim: optimizer settings, handed to the module as they are.
        first_step: where the phase starts on the step axis of the whole curriculum, whatever part of it a process runs.
    """

    name: str
    data: str
    trainable: tuple[str, ...]
    epochs: int
    steps_per_epoch: int
    optim: Any
    first_step: int = 0

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole phase."""
        return self.epochs * self.steps_per_epoch


class CurriculumData(Protocol):
    """What the curriculum asks of the data: one door to several data modules."""

    def select(self, name: str, first_epoch: int = 0) -> None:
        """Show the trainer the data module `name`, whose own epoch 0 is the trainer's `first_epoch`."""


def train_only(module: nn.Module, patterns: Iterable[str]) -> list[str]:
    """Freeze every parameter but those whose name matches a pattern; return the trainable names in order.

    A submodule none of whose parameters train is put in eval mode, so dropout inside a frozen part is off.

    Raises:
        MisconfigurationException: a pattern matches nothing. It is a typo more often than a wish.
    """
    patterns = tuple(patterns)
    unmatched = set(patterns)
    trainable = []
    for name, parameter in module.named_parameters():
        hits = {pattern for pattern in patterns if fnmatchcase(name, pattern)}
        unmatched -= hits
        parameter.requires_grad_(bool(hits))
        if hits:
            trainable.append(name)
        else:
            parameter.grad = None
    if unmatched:
        parts = sorted({name.split(".")[0] for name, _ in module.named_parameters()})
        raise MisconfigurationException(f"trainable: {sorted(unmatched)} match no parameter; the model's parts are {parts}")
    set_modes(module)
    return trainable


def set_modes(module: nn.Module) -> None:
    """Training mode where something trains, eval mode where everything is frozen.

    A child without parameters (dropout, an activation) goes with the part that it sits in.
    """
    for child in module.children():
        own = list(child.parameters())
        child.training = any(parameter.requires_grad for parameter in own) if own else module.training
        set_modes(child)


class P2ECurriculum(Callback):
    """Walks a module through `phases` inside one `trainer.fit`; with one phase it serves `make phase2` as well.

    Which phase an epoch belongs to is a pure function of the epoch. The callback moves when a phase's last epoch ends,
    before that epoch's checkpoint is written, so a checkpoint holds the optimizer of the phase that it will resume into.

    Args:
        phases: in curriculum order.
        directory: where `<phase><suffix>` boundary files go; None writes none.
        seed: of the random generators at the start of every phase.
        suffix: of boundary files; the trainer's CheckpointIO is given the path and decides what it means.
    """

    def __init__(
        self, phases: Sequence[Phase], directory: str | Path | None = None, seed: int = 0, suffix: str = ".ckpt"
    ) -> None:
        if not phases:
            raise MisconfigurationException("a curriculum needs at least one phase; see `run` in the experiment's YAML")
        self.phases = tuple(phases)
        self.ends = tuple(accumulate(phase.epochs for phase in self.phases))
        self.directory = Path(directory) if directory else None
        self.seed, self.suffix = seed, suffix
        self.index = 0
        self.trained: dict[str, list[str]] = {}  # phase -> names that it trains, for the log and for tests
        self._left: set[str] = set()

    @property
    def phase(self) -> Phase:
        """The phase that the trainer is in."""
        return self.phases[self.index]

    @property
    def epochs(self) -> int:
        """Length of the whole curriculum; give it to `Trainer(max_epochs=...)`."""
        return self.ends[-1]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if len(self.phases) > 1:
            self._check_can_move(trainer)
        self._begin(trainer, pl_module, 0)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # The strategy wraps the module and restores optimizers after this, so both will see the right phase.
        name = checkpoint["callbacks"][self.state_key]["phase"]
        names = [phase.name for phase in self.phases]
        if name not in names:
            raise MisconfigurationException(
                f"the checkpoint stands in phase {name!r}, this run has {names}; to start a phase from the weights of an"
                " earlier one use `init_from`, which takes weights only, instead of resuming"
            )
        self._begin(trainer, pl_module, names.index(name))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning skips on_train_epoch_end when it resumes from a checkpoint taken after an epoch's last batch.
        self._catch_up(trainer, pl_module, trainer.current_epoch)
        set_modes(pl_module)  # nor is there an on_train_epoch_start where it resumes inside an epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        set_modes(pl_module)  # validation ends with module.train(), which would switch frozen dropout on

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._catch_up(trainer, pl_module, trainer.current_epoch + 1)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch >= self.ends[-1] and self.phase.name not in self._left:
            self._leave(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not every or trainer.global_step % every:
            return  # no row is written at this step
        own = trainer.global_step - sum(phase.total_steps for phase in self.phases[: self.index])
        pl_module.log("p2e/step", float(self.phase.first_step + own))

    def state_dict(self) -> dict[str, Any]:
        return {"phase": self.phase.name}

    def _catch_up(self, trainer: Trainer, pl_module: LightningModule, epoch: int) -> None:
        while epoch >= self.ends[self.index] and self.phase.name not in self._left:
            self._leave(trainer)
            if self.index + 1 < len(self.phases):
                self._begin(trainer, pl_module, self.index + 1)
                self._rewire(trainer)

    def _leave(self, trainer: Trainer) -> None:
        self._left.add(self.phase.name)
        if self.directory:
            trainer.save_checkpoint(self.directory / f"{self.phase.name}{self.suffix}", weights_only=True)

    def _begin(self, trainer: Trainer, pl_module: LightningModule, index: int) -> None:
        self.index = index
        phase = self.phase
        self.trained[phase.name] = train_only(pl_module, phase.trainable)
        pl_module.phase = phase  # type: ignore[assignment]
        first_epoch = self.ends[index] - phase.epochs
        cast(CurriculumData, trainer.datamodule).select(phase.data, first_epoch)  # type: ignore[attr-defined]
        torch.manual_seed(zlib.crc32(f"{self.seed}/{phase.name}".encode()))

    @staticmethod
    def _rewire(trainer: Trainer) -> None:
        """Rebuild what was built from `requires_grad`: DDP's gradient buckets, the optimizer and its schedule."""
        strategy = trainer.strategy
        if isinstance(strategy, DDPStrategy):
            strategy.model = strategy.lightning_module  # drop the wrapper whose reducer knows the old parameters
            strategy.configure_ddp()
        strategy.setup_optimizers(trainer)

    def _check_can_move(self, trainer: Trainer) -> None:
        if trainer.max_epochs != self.epochs:
            raise MisconfigurationException(
                f"the curriculum lasts {self.epochs} epochs; Trainer(max_epochs={trainer.max_epochs})"
            )
        if trainer.reload_dataloaders_every_n_epochs != 1:  # type: ignore[attr-defined]
            raise MisconfigurationException("phases swap data between epochs; set Trainer(reload_dataloaders_every_n_epochs=1)")
        if trainer.strategy.restore_checkpoint_after_setup:
            raise MisconfigurationException(
                f"{type(trainer.strategy).__name__} restores after it shards, so phases cannot change inside one fit;"
                " run one phase per process: make phase1 phase2 phase3"
            )
