"""Which data sets lie below a data root, and how to get the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_modules.datasets import DATASETS


@dataclass(frozen=True, slots=True)
class Presence:
    """One data set, as declared and as found.

    Attributes:
        places: layout -> where it is looked for.
        found: the layouts that are there, in the order in which they are preferred.
        published: samples of the release per split, or of `all`.
    """

    name: str
    tasks: tuple[str, ...]
    language: str
    places: Mapping[str, str]
    found: tuple[str, ...]
    splits: tuple[str, ...]
    published: Mapping[str, int]
    licence: str
    how_to_obtain: str
    citation: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def look_for(root: Path) -> list[Presence]:
    """All data sets, in the order of their declarations; nothing is opened."""
    return [
        Presence(
            name=card.name,
            tasks=tuple(task.value for task in card.tasks),
            language=str(getattr(card.reader, "language", "")),
            places={layout: str(root / reader.marker) for layout, reader in card.layouts.items()},
            found=tuple(layout for layout, reader in card.layouts.items() if any(root.glob(reader.marker))),
            splits=card.splits,
            published=dict(card.published),
            licence=card.licence,
            how_to_obtain=card.how_to_obtain,
            citation=card.citation,
        )
        for card in DATASETS.values()
    ]
