"""A classifier of one's own on CREMA-D, with nothing but its data module: `python crema_d_classifier.py DATA_ROOT`."""

import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn

from data_modules import CREMAD, MediaInputs


class Classifier(LightningModule):
    """Six emotions from two seconds of voice."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(1, 16, 400, 160), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 6))

    def training_step(self, batch: dict, _: int) -> torch.Tensor:
        # clips: (batch, 1, 32000) at 16 kHz; label_index: (batch,)
        return nn.functional.cross_entropy(self.layers(batch["inputs"]["clips"]), batch["label_index"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


data = CREMAD(sys.argv[1], batch_size=3, inputs=MediaInputs(clips=1, seconds=2.0, modalities=["speech"]), on_bad="skip")
Trainer(max_epochs=20, accelerator="cpu", logger=False, enable_checkpointing=False).fit(model := Classifier(), datamodule=data)
