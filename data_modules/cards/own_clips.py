"""A list of one's own clips as a data set, by the name `generic:<file>`."""

from __future__ import annotations

from data_modules.cards.card import THREE, DatasetCard
from data_modules.readers.own_clips import OwnClips

PREFIX = "generic:"


def generic_card(name: str) -> DatasetCard:
    """The card of a list; `name` is `generic:` and the file below the data root."""
    return DatasetCard(
        {"original": OwnClips(name, name.removeprefix(PREFIX))},
        THREE,
        {},
        "your own",
        "write it as docs/datasets/generic.md says",
        "your own",
    )
