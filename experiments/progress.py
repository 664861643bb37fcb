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
