"""A list of one's own clips as a data set, by the name `generic:<file>`."""

from __future__ import annotations

from pathlib import Path

from data_modules.cards.card import THREE, DatasetCard, DatasetError
from data_modules.readers.own_clips import OwnClips

PREFIX = "generic:"


def generic_card(name: str) -> DatasetCard:
    """The card of a list; `name` is `generic:` and the file below the data root.

    Raises:
        DatasetError: it names no file below a root.
    """
    file = name.removeprefix(PREFIX)
    if not file or "\0" in file or Path(file).is_absolute():
        raise DatasetError(
            f"{name!r}: after {PREFIX!r} goes the path of a list below the data root, e.g. {PREFIX}mine/list.jsonl"
        )
    return DatasetCard(
        {"original": OwnClips(name, file)},
        THREE,
        {},
        "your own",
        "write it as docs/datasets/generic.md says",
        "your own",
    )
