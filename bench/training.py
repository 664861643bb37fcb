"""One training step of each phase: the reference against ours on the same rows, and ours at its own batch size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench.reference import ReferencePath, autocast
from bench.samples import lengths
from bench.setting import Setting
from bench.timing import Ratio, Work, ratio, round_robin
from data_modules.record import Sample, Task
from nano_emox.batch import Collator

TOLERANCE = 2e-4  # of the loss, relative, in float32
Rows = list[tuple[Sample, Task]]


class Training:
    """Both paths on one phase; whichever steps next is switched in outside the clock.

    Attributes:
        rows: the batch.
    """

    def __init__(self, setting: Setting, phase: str) -> None:
        self.setting, self.phase = setting, phase
        self.modalities = list(setting.preset.phases[phase].modalities)
        self.rows: Rows = setting.rows(phase)
        self.collate = Collator(setting.prompts, self.modalities, max_length=setting.preset.model.max_length)
        self.reference = ReferencePath(setting.model, setting.prompts, self.modalities)
        self.own_optimizer: Any = setting.begin(phase)
        self.reference_optimizer = self.reference.optimizer()
        self.decoded = setting.online(self.rows)

    def reference_step(self) -> Tensor:
        """Decoded media in memory to updated weights."""
        return self.reference.step(self.decoded, self.reference_optimizer)

    def our_step(self, rows: Rows | None = None) -> Tensor:
        """Samples to updated weights: features from disk, collating, loss, backward, optimizer."""
        items = self.setting.from_store(rows or self.rows, self.modalities)
        batch = self.collate(items).to(self.setting.device)
        with autocast(self.setting.device):
            losses, _ = self.setting.model(batch)
        loss: Tensor = losses.loss
        loss.backward()
        self.own_optimizer.step()
        self.own_optimizer.zero_grad()
        return loss.detach()

    def warm_up(self) -> None:
        """One step of each that does not count: kernels chosen, memory touched; one row is enough for the reference."""
        self.prepare_reference()
        self.reference.step(self.decoded[:1], self.reference_optimizer)
        self.prepare_ours()
        self.our_step()

    def prepare_reference(self) -> None:
        """LoRA in, dropout as the released code has it."""
        self.setting.model.train()
        self.reference.prepare()

    def prepare_ours(self) -> None:
        """The decoder fused, and LoRA out where it is frozen and adds nothing."""
        self.setting.model.train()
        self.setting.own_decoder()

    @torch.no_grad()
    def check(self) -> tuple[float, float]:
        """The losses of both paths without dropout.

        Raises:
            AssertionError: they differ by more than float32 allows (bf16: 2 %); then no ratio would mean anything.
        """
        model, device = self.setting.model, self.setting.device
        nn.Module.eval(model)
        self.reference.prepare()
        theirs = float(self.reference.loss(self.decoded))
        self.prepare_ours()
        nn.Module.eval(model)
        with autocast(device):
            losses, _ = model(self.collate(self.setting.from_store(self.rows, self.modalities)).to(device))
        own = float(losses.loss)
        allowed = TOLERANCE if device.type == "cpu" else 2e-2
        assert abs(own - theirs) <= allowed * abs(theirs), f"{self.phase}: the reference's loss is {theirs}, ours {own}"
        return theirs, own

    def counts(self) -> list[tuple[int, int]]:
        """Tokens and supervised tokens of every row."""
        return [lengths(sample, task, self.setting.prompts, self.modalities) for sample, task in self.rows]


def measure(setting: Setting, rounds: int, report: Callable[[str], None]) -> Iterator[Ratio]:
    """Ratios of all phases: `train.<phase>`, and `train.<phase>_own_batch` per sample."""
    for phase in setting.preset.rows:
        both = Training(setting, phase)
        theirs, own = both.check()
        times = setting.preset.own_batch
        more = setting.rows(phase, times)

        def reference(both: Training = both) -> None:
            both.prepare_reference()
            both.reference_step()

        def ours(both: Training = both, rows: Rows | None = None) -> None:
            both.prepare_ours()
            both.our_step(rows)

        both.warm_up()
        paths: dict[str, Work] = {"reference": reference, "ours": ours, "own_batch": partial(ours, rows=more)}
        taken = round_robin(paths, rounds, warm_up=False)
        counts = both.counts()
        tokens, supervised = (sum(column) / len(counts) for column in zip(*counts, strict=True))
        difference = abs(theirs - own) / abs(theirs)
        report(f"{phase}: {tokens:.0f} tokens a row ({supervised:.0f} supervised), losses differ by {difference:.1e}")
        note = f"{len(counts)} rows of {tokens:.0f} tokens ({supervised:.0f})"
        yield ratio(f"train.{phase}", taken["reference"], taken["ours"], note=note)
        size = len(counts)
        yield ratio(
            f"train.{phase}_own_batch", taken["reference"], taken["own_batch"], shares=(size, size * times),
            note=f"per sample: {size} rows against {size * times}",
        )  # fmt: skip
