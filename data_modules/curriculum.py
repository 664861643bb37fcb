"""One door to several data modules: a curriculum trains through it, and none of the modules knows of phases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities.exceptions import MisconfigurationException


class CurriculumDataModule(LightningDataModule):
    """Shows the trainer one of its members at a time; `select` says which.

    Args:
        members: data modules by the name under which phases ask for them; the first is selected.
    """

    def __init__(self, members: Mapping[str, LightningDataModule]) -> None:
        super().__init__()
        if not members:
            raise MisconfigurationException("a curriculum needs at least one data module")
        self.members = dict(members)
        self.selected = next(iter(self.members))

    @property
    def current(self) -> LightningDataModule:
        """The member that the trainer sees."""
        return self.members[self.selected]

    def select(self, name: str, first_epoch: int = 0) -> None:
        """Show `name` from now on. Its own epoch 0 is the trainer's `first_epoch`: it draws as if trained alone.

        Lightning asks for loaders between epochs only with `Trainer(reload_dataloaders_every_n_epochs=1)`.

        Raises:
            MisconfigurationException: no member of that name.
        """
        if name not in self.members:
            raise MisconfigurationException(f"no data module {name!r}; there are {sorted(self.members)}")
        self.selected = name
        self.current.epoch_offset = first_epoch  # type: ignore[attr-defined]

    def prepare_data(self) -> None:
        for member in self.members.values():
            member.prepare_data()

    def setup(self, stage: str) -> None:
        for member in self.members.values():
            member.trainer = self.trainer
            member.setup(stage)

    def teardown(self, stage: str) -> None:
        for member in self.members.values():
            member.teardown(stage)

    def train_dataloader(self) -> Any:
        return self.current.train_dataloader()

    def val_dataloader(self) -> Any:
        return self.current.val_dataloader()

    def test_dataloader(self) -> Any:
        return self.current.test_dataloader()

    def predict_dataloader(self) -> Any:
        return self.current.predict_dataloader()

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return self.current.on_before_batch_transfer(batch, dataloader_idx)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return self.current.transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return self.current.on_after_batch_transfer(batch, dataloader_idx)
