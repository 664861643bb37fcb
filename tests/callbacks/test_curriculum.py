"""The curriculum on a small model of its own: callbacks know no Nano-EmoX."""

import hashlib
from dataclasses import dataclass

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from callbacks.curriculum import P2ECurriculum, Phase, train_only


@dataclass(frozen=True)
class Optim:
    lr: float = 1e-2


PHASES = (
    Phase("speech", "noise", ("speech.*",), 2, 4, Optim()),
    Phase("visual", "shapes", ("visual.*",), 1, 4, Optim()),
    Phase("all", "shapes", ("speech.*", "visual.*", "language.lora"), 2, 4, Optim(3e-3)),
)


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(6, 3)
        self.lora = nn.Parameter(torch.zeros(3, 6))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.base(x) + self.dropout(x) @ self.lora.T


class Model(LightningModule):
    phase: Phase

    def __init__(self):
        super().__init__()
        self.speech = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.3))
        self.visual = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.3))
        self.language = Language()
        self.seen = []

    def training_step(self, batch, batch_idx):
        x, y, source = batch
        self.seen.append((self.phase.name, int(source[0])))
        parts = {"speech": [self.speech], "visual": [self.visual]}.get(self.phase.name, [self.speech, self.visual])
        return nn.functional.cross_entropy(self.language(sum(part(x) for part in parts)), y)

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=self.phase.optim.lr)


class Data(LightningDataModule):
    def __init__(self):
        super().__init__()
        self.name, self.first_epoch = "", 0

    def select(self, name, first_epoch=0):
        self.name, self.first_epoch = name, first_epoch

    def train_dataloader(self):
        source = {"noise": 1, "shapes": 2}[self.name]
        epoch = self.trainer.current_epoch - self.first_epoch
        draw = torch.Generator().manual_seed(100 * source + epoch)
        rows = TensorDataset(
            torch.randn(16, 4, generator=draw), torch.randint(3, (16,), generator=draw), torch.full((16,), source)
        )
        return DataLoader(rows, batch_size=4, generator=torch.Generator().manual_seed(0))

    def val_dataloader(self):
        return self.train_dataloader()


def fit(model, phases, directory, data=None, **kwargs):
    curriculum = P2ECurriculum(phases, directory, seed=7)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=curriculum.epochs,
        callbacks=[curriculum],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **kwargs,
    )
    trainer.fit(model, datamodule=data or Data())
    return curriculum


def model():
    seed_everything(0, verbose=False)
    return Model()


def digest(module):
    return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for _, p in sorted(module.named_parameters()))).hexdigest()


def test_each_phase_trains_its_own_parameters_on_its_own_data_and_leaves_all_others_bit_equal(tmp_path):
    whole = model()
    fit(whole, PHASES, tmp_path)
    assert whole.seen == [("speech", 1)] * 8 + [("visual", 2)] * 4 + [("all", 2)] * 8

    start = model().state_dict()
    after = {p.name: torch.load(tmp_path / f"{p.name}.ckpt", weights_only=True)["state_dict"] for p in PHASES}
    for before, phase in zip([start, after["speech"], after["visual"]], PHASES, strict=True):
        changed = {name.split(".")[0] for name in start if not torch.equal(before[name], after[phase.name][name])}
        assert changed == {pattern.split(".")[0] for pattern in phase.trainable}, phase.name
        if phase.name == "all":
            assert torch.equal(before["language.base.weight"], after["all"]["language.base.weight"])


def test_one_fit_with_all_phases_equals_one_fit_per_phase(tmp_path):
    whole = model()
    fit(whole, PHASES, tmp_path)
    parts = model()
    for phase in PHASES:
        fit(parts, [phase], None)
    assert digest(whole) == digest(parts)


def test_branches_with_disjoint_parameters_commute(tmp_path):
    one, other = model(), model()
    for phase in PHASES[:2]:
        fit(one, [phase], None)
    for phase in reversed(PHASES[:2]):
        fit(other, [phase], None)
    assert digest(one) == digest(other)


def test_dropout_is_off_in_frozen_parts_also_after_validation(tmp_path):
    net = model()
    train_only(net, ["speech.*"])
    assert net.speech[1].training
    assert not net.visual[1].training
    assert not net.language.dropout.training

    modes = []
    forward = net.training_step
    net.training_step = lambda batch, batch_idx: (modes.append(net.visual[1].training), forward(batch, batch_idx))[1]
    fit(net, PHASES[:1], None)
    assert modes == [False] * 8


def test_a_pattern_that_matches_nothing_is_an_error_that_names_the_parts():
    with pytest.raises(MisconfigurationException, match=r"speach\.\*.*language.*speech.*visual"):
        train_only(model(), ["speach.*"])


def test_a_trainer_that_cannot_move_between_phases_is_told_what_to_set(tmp_path):
    curriculum = P2ECurriculum(PHASES)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=9,
        callbacks=[curriculum],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    with pytest.raises(MisconfigurationException, match="lasts 5 epochs"):
        trainer.fit(model(), datamodule=Data())
