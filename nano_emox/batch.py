"""`Batch`: what the model receives, and `Collator`, which makes it from drawn samples.

A batch mixes data sets, tasks and modality subsets freely: `slots` says which of the token blocks each row has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from data_modules.record import Item
from nano_emox.prompts import MODALITIES, SLOT_IDS, PromptTokenizer
from nano_emox.tasks import answer

IGNORED = -100  # label of a position without loss, as in torch's cross entropy


@dataclass(frozen=True)
class Batch:
    """Rows of ids with the features that fill their modality positions.

    Attributes:
        input_ids: (batch, length) int64; modality positions hold the negative ids of `SLOT_IDS`.
        attention_mask: (batch, length) bool.
        labels: (batch, length) int64, -100 where there is no loss.
        features: per name, only the rows that have the slot, in row order: `visual.last` (rows, frames, dim),
            `visual.scales` (rows, frames, layers, dim), `speech.last` (rows, clips, dim), `speech.scales`
            (rows, clips, layers, dim), `face.last` (rows, frames, dim); `fusion.speech` and `fusion.visual` are the
            scales of the fusion rows. With online encoders instead: `frames` (rows, frames, 3, height, width) uint8 of
            the rows with a visual, face or fusion slot, and `clips` (rows, clips, samples) of those with speech or fusion.
        slots: per block, (batch,) bool: which rows have it.
        items: the samples, for names in errors, logs and metrics.
        shortened: what was cut because a row was over-long: field -> `dataset/id` -> how much: turns of `history`, characters
            of `subtitle`.
        left_out: how many samples were left out as a whole, for the same reason.
        prefix: per row, how many of its first tokens are text that its task and blocks alone decide (instruction, candidate
            labels), so that many rows have it in common; None where nobody knows.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    features: Mapping[str, Tensor]
    slots: Mapping[str, Tensor]
    items: tuple[Item, ...] = field(default=(), repr=False)
    shortened: Mapping[str, Mapping[str, int]] = field(default_factory=dict, repr=False)
    left_out: int = 0
    prefix: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.input_ids.shape == self.attention_mask.shape == self.labels.shape:
            raise ValueError(
                f"input_ids {tuple(self.input_ids.shape)}, attention_mask {tuple(self.attention_mask.shape)} and labels"
                f" {tuple(self.labels.shape)} must have one shape (batch, length)"
            )
        for name, rows in self.slots.items():
            if rows.shape != self.input_ids.shape[:1]:
                raise ValueError(f"slots[{name!r}] is {tuple(rows.shape)}; expected ({self.input_ids.shape[0]},)")

    def __len__(self) -> int:
        return self.input_ids.shape[0]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        return replace(
            self,
            input_ids=move(self.input_ids),
            attention_mask=move(self.attention_mask),
            labels=move(self.labels),
            features={k: move(v) for k, v in self.features.items()},
            slots={k: move(v) for k, v in self.slots.items()},
        )

    def pin_memory(self) -> Batch:
        return replace(
            self,
            input_ids=self.input_ids.pin_memory(),
            attention_mask=self.attention_mask.pin_memory(),
            labels=self.labels.pin_memory(),
            features={k: v.pin_memory() for k, v in self.features.items()},
        )


class OverlongError(ValueError):
    """A sample that does not fit into `max_length` even without dialogue and subtitle; the message names it."""


class Collator:
    """Samples to `Batch`: composes prompts, tokenises, pads, and stacks the features that fill the slots.

    Args:
        prompts: tokenizer with the chat template and the block sizes.
        modalities: what the model may use, of `visual face speech fusion text`; the rest of a clip is left out.
        max_length: tokens a row may have.
        over_long: what becomes of longer rows: `shorten` drops the oldest dialogue turns, then the beginning of the subtitle,
            as much as is needed, and counts both; the question and the answer are never cut. `leave_out` drops the sample, and
            counts it (the released code puts a random other one in its place).
        generate: prompts only, padded on the left, for generation; otherwise prompt and answer, padded on the right.

    Raises:
        OverlongError: from `__call__`, for a row that is too long with nothing left to cut.
        ValueError: from `__call__`, where every row of a batch is to be left out.
    """

    def __init__(
        self,
        prompts: PromptTokenizer,
        modalities: Collection[str] = MODALITIES,
        *,
        max_length: int = 1024,
        over_long: str = "shorten",
        generate: bool = False,
    ) -> None:
        unknown = set(modalities) - set(MODALITIES)
        if unknown:
            raise ValueError(f"unknown modalities {sorted(unknown)}; there are {list(MODALITIES)}")
        self.prompts = prompts
        self.modalities = frozenset(modalities)
        self.max_length = max_length
        self.over_long = over_long
        self.generate = generate

    def __call__(self, items: Sequence[Item]) -> Batch:
        present = [self.slots_of(item) for item in items]
        found = [self._row(item, slots) for item, slots in zip(items, present, strict=True)]
        rows = [row for row in found if row is not None]
        if not rows:
            raise ValueError(f"every row of the batch is longer than {self.max_length} tokens; raise model.max_length")
        items = [item for item, row in zip(items, found, strict=True) if row is not None]
        present = [slots for slots, row in zip(present, found, strict=True) if row is not None]
        ids, labels, mask = pad(
            [(prompt, target) for prompt, target, _, _ in rows], self.prompts.pad_id, left=self.generate,
            masks_end=self.prompts.masks_end,
        )  # fmt: skip
        rows_with = {name: torch.tensor([name in has for has in present]) for name in SLOT_IDS}
        shortened: dict[str, dict[str, int]] = {}
        for item, row in zip(items, rows, strict=True):
            for name, amount in row[3].items():
                shortened.setdefault(name, {})[f"{item.sample.dataset}/{item.sample.id}"] = amount
        return Batch(
            ids, mask, labels, _stack(items, present), rows_with, tuple(items), shortened, len(found) - len(rows),
            tuple(row[2] for row in rows),
        )  # fmt: skip

    def slots_of(self, item: Item) -> frozenset[str]:
        """Which blocks this item's prompt has: those allowed here whose media or features the clip has."""
        visual = "visual.last" in item.inputs or "frames" in item.inputs
        face = "face.last" in item.inputs or "frames" in item.inputs
        speech = "speech.last" in item.inputs or "clips" in item.inputs
        has = {"visual": visual, "face": face, "speech": speech, "fusion": visual and speech}
        return frozenset(name for name, there in has.items() if there and name in self.modalities)

    def _row(self, item: Item, slots: frozenset[str]) -> tuple[list[int], list[int], int, dict[str, int]] | None:
        """Prompt, answer, how many tokens of the prompt are common, and what was cut."""
        sample = item.sample
        target = [] if self.generate else self.prompts.answer_ids(answer(sample, item.task))

        def row(turns: int, start: int) -> tuple[list[int], list[int], int, dict[str, int]]:
            """Without the oldest `turns` and the first `start` characters of the subtitle."""
            shown = replace(sample, subtitle=sample.subtitle[start:].lstrip()) if start and sample.subtitle else sample
            segments = self.prompts.compose(shown, item.task, slots, text="text" in self.modalities, drop_turns=turns)
            cut = {name: amount for name, amount in (("history", turns), ("subtitle", start)) if amount}
            return self.prompts.prompt_ids(segments), target, self.prompts.prefix_length(segments), cut

        def fits(row: tuple[list[int], list[int], int, dict[str, int]]) -> bool:
            return len(row[0]) + len(target) <= self.max_length

        whole = row(0, 0)
        if fits(whole):
            return whole
        if self.over_long == "leave_out":
            return None
        turns = len(sample.history)
        for dropped in range(1, turns + 1):
            if fits(shorter := row(dropped, 0)):
                return shorter
        first, last = 0, len(sample.subtitle or "")
        if not fits(row(turns, last)):
            raise OverlongError(
                f"{sample.dataset}/{sample.id}: {len(row(turns, last)[0]) + len(target)} tokens even without its dialogue and"
                f" its subtitle; the limit is {self.max_length}: raise model.max_length"
            )
        while first < last:  # the fewest characters to cut
            middle = (first + last) // 2
            first, last = (first, middle) if fits(row(turns, middle)) else (middle + 1, last)
        return row(turns, last)


def pad(
    rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int, *, left: bool = False, masks_end: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts and answers as ids, labels and attention mask, each (batch, length).

    Args:
        rows: prompt and answer of each row; the answer alone is supervised.
        left: pad on the left, for generation.
        masks_end: attention also leaves out the padding token where it stands inside a row.
    """
    length = max(len(prompt) + len(target) for prompt, target in rows)
    ids = np.full((len(rows), length), pad_id, dtype=np.int64)
    labels = np.full((len(rows), length), IGNORED, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=bool)
    for row, (prompt, target) in enumerate(rows):
        size = len(prompt) + len(target)
        start = length - size if left else 0
        ids[row, start : start + size] = [*prompt, *target]
        labels[row, start + len(prompt) : start + size] = target
        mask[row, start : start + size] = True
    if masks_end:
        mask &= ids != pad_id
    return torch.from_numpy(ids), torch.from_numpy(labels), torch.from_numpy(mask)


def _stack(items: Sequence[Item], present: Sequence[frozenset[str]]) -> dict[str, Tensor]:
    if any("frames" in item.inputs or "clips" in item.inputs for item in items):
        sources = {"frames": ({"visual", "face", "fusion"}, "frames"), "clips": ({"speech", "fusion"}, "clips")}
    else:
        sources = {
            "visual.last": ({"visual"}, "visual.last"),
            "speech.last": ({"speech"}, "speech.last"),
            "face.last": ({"face"}, "face.last"),
            "fusion.visual": ({"fusion"}, "visual.scales"),
            "fusion.speech": ({"fusion"}, "speech.scales"),
        }
    features = {}
    for name, (slots, source) in sources.items():
        rows = [item.inputs[source] for item, has in zip(items, present, strict=True) if slots & has]
        if rows:
            features[name] = torch.stack(rows)
    return features
