"""The authors' released lists: `[{"messages": [user, assistant], "videos" | "audios": ["/their/prefix/name.ext"]}]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault
from data_modules.readers.tables import load_json


def listed_ids(path: Path) -> frozenset[str]:
    """The clips that a list names: base names without extension, since the prefix is a folder of the authors."""
    return frozenset(name for _, (name, _) in messages_of(path))


def messages_of(path: Path) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    """(place, (clip, entry)) of a list.

    Raises:
        AnnotationError: the file is not a list, or an entry names no media.
        FileNotFoundError: no such file.
    """
    entries = load_json(path)
    if not isinstance(entries, list):
        raise AnnotationError(path, 1, f"expected a list of messages, found a {type(entries).__name__}")
    for number, entry in enumerate(entries, start=1):
        media = entry.get("videos") or entry.get("audios")
        if not media:
            raise AnnotationError(path, f"entry {number}", "names neither videos nor audios", Fault.MISSING_FIELD)
        yield f"entry {number}", (PurePosixPath(media[0]).stem, entry)
