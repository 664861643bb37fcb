"""All data sets by name, and the one way to their samples.

The declarations are in `data_modules.cards`, by what a data set is labelled with. Facts were checked against the published
files where they are open; gated sets follow what several public readers agree on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from data_modules.cards import dialogue, emotion, intent, reasoning, sentiment
from data_modules.cards.card import DatasetCard as DatasetCard
from data_modules.readers.annotation import Annotation, Reader
from data_modules.readers.messages_json import listed_ids
from data_modules.record import Sample

log = logging.getLogger(__name__)

OnBad = Literal["error", "skip"]
DATASETS: Mapping[str, DatasetCard] = {
    card.name: card for card in (*emotion.CARDS, *intent.CARDS, *reasoning.CARDS, *dialogue.CARDS, *sentiment.CARDS)
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
        name: a key of `DATASETS`.
        root: the data root, which holds one folder per data set.
        layout: which of the card's layouts; None is the first one that is there.
        subset: a named alternative to the official splits, e.g. `as_released`.
        on_bad: `error` stops at the first entry that cannot be used; `skip` leaves such entries out and logs how many.

    Raises:
        KeyError: no data set of that name.
        FileNotFoundError: it is not below the root; the message says how to obtain it.
        ValueError: it has no such split, layout or subset, or its annotation is broken (`AnnotationError` names file and line).
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
    splits = tuple(part for part in card.splits if part in reader.splits)
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


def card_of(name: str) -> DatasetCard:
    """The declaration of a data set.

    Raises:
        KeyError: no data set of that name.
    """
    if name not in DATASETS:
        raise KeyError(f"no data set {name!r}; there are {sorted(DATASETS)}")
    return DATASETS[name]


def find_reader(card: DatasetCard, root: Path, layout: str | None = None) -> Reader:
    """The reader of a layout, or of the first one that lies below the root.

    Raises:
        FileNotFoundError: there is none; the message says where it was looked for and how to obtain the data set.
        ValueError: the data set has no such layout.
    """
    if layout is not None and layout not in card.layouts:
        raise ValueError(f"{card.name} has no layout {layout!r}; it has {list(card.layouts)}")
    found = layout or card.layout_in(root)
    if found is None or not (root / card.layouts[found].marker).exists():
        places = [root / card.layouts[found].marker] if found else card.places(root)
        raise FileNotFoundError(f"{card.name}: {' or '.join(map(str, places))} is missing; {card.how_to_obtain}")
    return card.layouts[found]


def _check_split(card: DatasetCard, split: str, splits: tuple[str, ...], subset: str | None) -> None:
    if subset is None and split != "all" and split not in splits:
        raise ValueError(f"{card.name} has no split {split!r}; it has {list(splits)}")


def _read_subset(card: DatasetCard, reader: Reader, root: Path, split: str, subset: str) -> Annotation:
    if subset not in card.subsets or split not in card.subsets[subset]:
        known = {name: list(splits) for name, splits in card.subsets.items()}
        raise ValueError(f"{card.name} has no subset {subset!r} with a split {split!r}; it has {known}")
    chosen = card.subsets[subset][split]
    allowed = listed_ids(root / chosen.listed_in) if chosen.listed_in else None
    found = Annotation()
    for part in chosen.splits:
        for entry in reader.read(root, part):
            if not isinstance(entry, Sample):
                found.rejected.append(entry)
            elif allowed is None or entry.id in allowed:
                found.samples.append(entry)
    return found
