"""Writes what encoders predict, as it comes: a run cut anywhere has lost at most the clips since the last flush."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

Records = Mapping[str, Mapping[str, Tensor]]


class FeatureWriter(BasePredictionWriter):
    """Hands predictions to `writers` in flushes of `every` clips.

    A prediction is `{"key": [...], "features": {"visual.last": (batch, ...), ...}}`. What stands before the first dot of a
    name says whose feature it is; a clip without any feature of a writer is handed over with none, which says that the clip
    does not have that modality.

    Args:
        writers: by modality; called with key -> name -> tensor.
        every: clips a flush.
        absent: keys of clips that no writer's modality can be had from; whoever reads the clips appends to it.
    """

    def __init__(self, writers: Mapping[str, Callable[[Records], None]], every: int = 256, absent: Sequence[str] = ()) -> None:
        super().__init__(write_interval="batch")
        self.writers = dict(writers)
        self.every = every
        self.absent = absent
        self._handed_over = 0  # of the absent ones
        self._waiting: dict[str, dict[str, dict[str, Tensor]]] = {modality: {} for modality in writers}

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        features: Mapping[str, Tensor] = prediction["features"]
        for row, key in enumerate(prediction["key"]):
            for modality, waiting in self._waiting.items():
                names = [name for name in features if name.split(".")[0] == modality]
                waiting[key] = {name: features[name][row].cpu() for name in names}
        if any(len(waiting) >= self.every for waiting in self._waiting.values()):
            self.flush()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.flush()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.flush()

    def flush(self) -> None:
        """Hand over what waits."""
        absent = self.absent[self._handed_over :]
        self._handed_over += len(absent)
        for modality, waiting in self._waiting.items():
            waiting.update({key: {} for key in absent})
            if waiting:
                self.writers[modality](waiting)
                self._waiting[modality] = {}
