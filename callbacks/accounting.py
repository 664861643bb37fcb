"""No sample goes missing in silence: at the end of every epoch, seen + skipped by reason = listed, over all ranks.

The loader counts what it asked for and what its workers handed over, the callback counts what was trained on; the three must
agree. An epoch that was cut and resumed is accounted for as a whole: a checkpoint holds the counts so far, of all ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.ranks import gather

Counts = dict[str, Any]


class Account(Protocol):
    """What is asked of a loader's `account`."""

    def as_dict(self) -> Counts:
        """`batches`, `listed`, `seen`, `substituted`, `skipped` (reason -> number), `samples` (reason -> names),
        `shortened` (text field -> number)."""


class AccountingError(RuntimeError):
    """The counts do not add up, or too much was skipped; the message has the numbers."""


class EpochAccounting(Callback):
    """Checks every epoch's account and hands it over as a row, for training and for validation.

    Args:
        write: called on rank 0 with each epoch's row, before anything is raised about it.
        max_skipped: the fraction of an epoch's draws that may be skipped.
        allowed: reasons that a setting has asked for: counted, without a limit.
    """

    def __init__(self, write: Callable[[Counts], None], max_skipped: float = 0.01, allowed: Collection[str] = ()) -> None:
        self.write, self.max_skipped, self.allowed = write, max_skipped, frozenset(allowed)
        self._carried: Counts | None = None  # of the epoch that the checkpoint was taken in
        self._trained = 0  # batches of this process in this epoch
        self._epoch: Counts = {}  # which one it is
        self._open = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._carried = checkpoint.get("accounting")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._open:  # runs on every rank, so it may gather
            checkpoint["accounting"] = self._epoch | added(self._so_far(trainer))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning skips on_train_epoch_end when it resumes from a checkpoint taken after an epoch's last batch.
        if self._carried is not None and self._carried["epoch"] < trainer.current_epoch:
            self._close(trainer, self._carried, [self._carried])
            self._carried = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(trainer, pl_module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if not self._open:  # resumed inside an epoch, where Lightning has no on_train_epoch_start
            self._begin(trainer, pl_module)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trained, self._open = 0, True
        phase = getattr(getattr(pl_module, "phase", None), "name", "")  # now: it changes before the epoch's last hooks
        self._epoch = {"phase": phase, "epoch": trainer.current_epoch, "split": "train"}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self._trained += 1
        own = self._own(trainer)
        planned = own["listed"] // own["batches"] * int(trainer.num_training_batches)
        if self._too_many(own, planned):  # an epoch may last for hours, and the limit of this rank's share is passed already
            raise AccountingError(self._complaint(self._epoch, own, planned))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        parts = self._so_far(trainer)
        self._open, self._carried = False, None
        total = self._close(trainer, self._epoch, parts, int(trainer.num_training_batches) * trainer.world_size)
        # Sums over ranks already; `sync_dist` would sync in the progress bar, which only rank 0 has, and mix up the ranks.
        for name in ("listed", "seen", "substituted"):
            pl_module.log(f"data/{name}", float(total[name]))
        pl_module.log("data/skipped", float(sum(total["skipped"].values())))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loaders: Any = trainer.val_dataloaders or []
        loaders = loaders if isinstance(loaders, list | tuple) else [loaders]
        own = [loader.account.as_dict() for loader in loaders if hasattr(loader, "account")]
        parts = [part for rank in gather(own) for part in rank]
        if parts and not trainer.sanity_checking:
            self._close(trainer, self._epoch | {"split": "validation"}, parts)

    @staticmethod
    def _own(trainer: Trainer) -> Counts:
        account: Account = trainer.train_dataloader.account  # type: ignore[union-attr]
        return account.as_dict()

    def _so_far(self, trainer: Trainer) -> list[Counts]:
        """The accounts of all ranks in this epoch, and of the processes before this one."""
        parts: list[Counts] = gather(self._own(trainer) | {"trained": self._trained})
        carried = self._carried is not None and self._carried["epoch"] == trainer.current_epoch
        return [*parts, self._carried] if carried and self._carried is not None else parts

    def _close(self, trainer: Trainer, which: Counts, parts: list[Counts], batches: int | None = None) -> Counts:
        total = added(parts)
        row = {"phase": which["phase"], "epoch": which["epoch"], "split": which["split"], **total}
        if trainer.is_global_zero:
            self.write(row)
        skipped = sum(total["skipped"].values())
        if total["seen"] + skipped != total["listed"]:
            raise AccountingError(
                f"{_named(which)}: {total['seen']} seen + {skipped} skipped {total['skipped']} is not {total['listed']} listed;"
                " samples were lost between the sampler and the model"
            )
        for part in parts:
            if part.get("trained", part["batches"]) != part["batches"]:
                raise AccountingError(
                    f"{_named(which)}: {part['batches']} batches were given out, {part['trained']} were trained on"
                )
        if batches is not None and total["batches"] != batches:
            raise AccountingError(f"{_named(which)}: {total['batches']} batches were given out, the epoch has {batches}")
        if self._too_many(total, total["listed"]):
            raise AccountingError(self._complaint(which, total, total["listed"]))
        return total

    def _too_many(self, counts: Counts, listed: int) -> bool:
        limited = sum(number for reason, number in counts["skipped"].items() if reason not in self.allowed)
        return limited > self.max_skipped * listed

    def _complaint(self, which: Counts, counts: Counts, listed: int) -> str:
        reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(counts["skipped"].items()))
        first = [f"{name} ({reason})" for reason, names in sorted(counts["samples"].items()) for name in names][:5]
        return (
            f"{_named(which)}: of {listed} draws, more than {self.max_skipped:.2%} could not be read ({reasons}):"
            f" {', '.join(first)}, ...; repair or remove these clips, or allow more with data.max_skipped"
        )


def added(parts: Iterable[Counts]) -> Counts:
    """The sum of several accounts."""
    total: Counts = {"batches": 0, "listed": 0, "seen": 0, "substituted": 0, "skipped": {}, "samples": {}, "shortened": {}}
    for part in parts:
        for name in ("batches", "listed", "seen", "substituted"):
            total[name] += part[name]
        for name in ("skipped", "shortened"):
            for reason, number in part.get(name, {}).items():
                total[name][reason] = total[name].get(reason, 0) + number
        for reason, samples in part["samples"].items():
            total["samples"][reason] = sorted({*total["samples"].get(reason, []), *samples})
    return total


def _named(which: Counts) -> str:
    phase = f" ({which['phase']})" if which["phase"] else ""
    return f"epoch {which['epoch'] + 1}{phase}, {which['split']}"
