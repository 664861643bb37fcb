"""All data sets by name, and the one way to their samples.

The declarations are in `data_modules.cards`, by what a data set is labelled with. Facts were checked against the published
files where they are open; gated sets follow what several public readers agree on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from data_modules.cards import dialogue, emotion, emotion_benchmarks, intent, reasoning, sentiment
from data_modules.cards.card import DatasetCard as DatasetCard
from data_modules.cards.card import DatasetError
from data_modules.cards.own_clips import PREFIX, generic_card
from data_modules.readers.annotation import Annotation, AnnotationError, Fault, Reader
from data_modules.readers.messages_json import listed_ids
from data_modules.record import Sample

log = logging.getLogger(__name__)

OnBad = Literal["error", "skip"]
DATASETS: Mapping[str, DatasetCard] = {
    card.name: card
    for card in (*emotion.CARDS, *emotion_benchmarks.CARDS, *intent.CARDS, *reasoning.CARDS, *dialogue.CARDS, *sentiment.CARDS)
}


def load_samples(
    name: str,
    root: str | Path,
    split: str,
    *,
    layout: str | None = None,
    subset: str | None = None,
    on_bad: OnBad = "error",
) -> list[Sample]:
    """The samples of one split (`train`, `validation`, `test`), or of every split (`all`), in a fixed order.

    Args:
        name: a key of `DATASETS`, or `generic:` and a file below the root (`data_modules.readers.own_clips`).
        root: the data root, which holds one folder per data set.
        layout: which of the card's layouts; None is the first one that is there.
        subset: a named alternative to the official splits, e.g. `as_released`.
        on_bad: `error` stops at the first entry that cannot be used; `skip` leaves such entries out and logs how many.

    Raises:
        KeyError: no data set of that name.
        FileNotFoundError: it is not below the root; the message says how to obtain it.
        DatasetError: it has no such split, layout or subset.
        AnnotationError: its annotation is broken; the message names file and line.
    """
    annotation = read_annotation(name, root, split, layout=layout, subset=subset)
    if annotation.rejected and on_bad == "error":
        raise annotation.rejected[0]
    if annotation.rejected:
        counts = ", ".join(f"{count} {fault}" for fault, count in sorted(annotation.faults.items()))
        log.warning("%s/%s: %d of %d entries left out: %s; first: %s", name, split, len(annotation.rejected),
                    annotation.listed, counts, annotation.rejected[0])  # fmt: skip
    return annotation.samples


def read_annotation(
    name: str, root: str | Path, split: str, *, layout: str | None = None, subset: str | None = None
) -> Annotation:
    """All entries of one split or of `all`, those that cannot be used included; arguments as of `load_samples`."""
    card, root = card_of(name), Path(root)
    _check_split(card, split, card.splits, subset)
    reader = find_reader(card, root, layout)
    if subset is not None:
        return _read_subset(card, reader, root, split, subset)
    splits = splits_of(name, root, layout=layout)
    _check_split(card, split, splits, subset)
    found = Annotation()
    for part in splits if split == "all" else (split,):
        seen = {sample.id for sample in found.samples}  # AvaMERG's validation and test can be the same dialogues
        for entry in reader.read(root, part):
            if not isinstance(entry, Sample):
                found.rejected.append(entry)
            elif entry.id not in seen:
                found.samples.append(entry)
    return found


def splits_of(name: str, root: str | Path, *, layout: str | None = None, subset: str | None = None) -> tuple[str, ...]:
    """The splits that can be read below the root: those of the layout, or those of a subset; arguments as of `load_samples`."""
    card = card_of(name)
    if subset is not None:
        if subset not in card.subsets:
            raise DatasetError(f"{card.name} has no subset {subset!r}; it has {list(card.subsets)}")
        return tuple(card.subsets[subset])
    reader = find_reader(card, Path(root), layout)
    return tuple(split for split in card.splits if split in reader.splits)


def card_of(name: str) -> DatasetCard:
    """The declaration of a data set: of those in `DATASETS`, or of a list of one's own, called `generic:<file>`.

    Raises:
        DatasetError: `generic:` is followed by no path below a root.
        KeyError: no data set of that name.
    """
    if name.startswith(PREFIX):
        return generic_card(name)
    if name not in DATASETS:
        raise KeyError(f"no data set {name!r}; there are {sorted(DATASETS)}")
    return DATASETS[name]


def find_reader(card: DatasetCard, root: Path, layout: str | None = None) -> Reader:
    """The reader of a layout, or of the first one that lies below the root.

    Raises:
        FileNotFoundError: there is none; the message says where it was looked for and how to obtain the data set.
        DatasetError: the data set has no such layout.
    """
    if layout is not None and layout not in card.layouts:
        raise DatasetError(f"{card.name} has no layout {layout!r}; it has {list(card.layouts)}")
    found = layout or card.layout_in(root)
    if found is None or not any(root.glob(card.layouts[found].marker)):
        places = [root / card.layouts[found].marker] if found else card.places(root)
        raise FileNotFoundError(f"{card.name}: {' or '.join(map(str, places))} is missing; {card.how_to_obtain}")
    return card.layouts[found]


def _check_split(card: DatasetCard, split: str, splits: tuple[str, ...], subset: str | None) -> None:
    if subset is None and split != "all" and split not in splits:
        raise DatasetError(f"{card.name} has no split {split!r}; it has {list(splits)}")


def _read_subset(card: DatasetCard, reader: Reader, root: Path, split: str, subset: str) -> Annotation:
    if subset not in card.subsets or split not in card.subsets[subset]:
        known = {name: list(splits) for name, splits in card.subsets.items()}
        raise DatasetError(f"{card.name} has no subset {subset!r} with a split {split!r}; it has {known}")
    chosen = card.subsets[subset][split]
    allowed = listed_ids(root / chosen.listed_in) if chosen.listed_in else None
    found = Annotation()
    parts = [part for part in chosen.splits if part in reader.splits]  # released lists are merged already
    if not parts:
        raise DatasetError(f"{card.name}: this layout has none of {list(chosen.splits)}; it has {list(reader.splits)}")
    for part in parts:
        for entry in reader.read(root, part):
            if not isinstance(entry, Sample):
                found.rejected.append(entry)
            elif allowed is None or entry.id in allowed:
                found.samples.append(replace(entry, split=split))
    for name in sorted((allowed or set()) - {sample.id for sample in found.samples}):
        problem = f"{card.name} has no usable entry of this name in {' and '.join(chosen.splits)}"
        found.rejected.append(AnnotationError(root / chosen.listed_in, name, problem, Fault.NO_ROW))
    return found
