"""Progress bars that say which phase a run is in."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from tqdm import tqdm


class CurriculumProgress(TQDMProgressBar):
    """One bar an epoch, titled with the phase and its own epoch; validation is quiet."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=10)

    def init_validation_tqdm(self) -> Any:
        return tqdm(disable=True)

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        super().on_train_epoch_start(trainer, *args)
        module = trainer.lightning_module
        phase: Any = getattr(module, "phase", None)
        if phase is not None:
            self.train_progress_bar.set_description(f"{phase.name}, epoch {trainer.current_epoch + 1}")

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return {key: value for key, value in metrics.items() if key in ("train/loss", "val/loss")}


class ClipProgress(TQDMProgressBar):
    """One bar for a group of towers, in clips and clips per second.

    Args:
        title: says which towers.
        clips: how many there are to do, by all ranks together.
    """

    def __init__(self, title: str, clips: int) -> None:
        super().__init__(refresh_rate=1)
        self.title, self.clips = title, clips

    def init_predict_tqdm(self) -> Any:
        share = -(-self.clips // self.trainer.world_size)
        return tqdm(total=share, desc=self.title, unit=" clips", smoothing=0.05, dynamic_ncols=True, disable=self.is_disabled)

    def on_predict_batch_start(self, *args: Any, **kwargs: Any) -> None:
        """The bar's length is known from the start."""

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        self.predict_progress_bar.update(len(batch["key"]))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        bar = self.predict_progress_bar
        bar.update((bar.total or 0) - bar.n)  # clips without this medium came in no batch
        super().on_predict_end(trainer, pl_module)
