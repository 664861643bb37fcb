"""The authors' released lists: `[{"messages": [user, assistant], "videos" | "audios": ["/their/prefix/name.ext"]}]`.

The user's message is the subtitle, the assistant's is the label. Of a path only the base name counts: the prefix is a folder
of the authors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import load_json, one_of, split_file
from data_modules.record import Media, Sample, Task


@dataclass(frozen=True)
class MessagesJson:
    """One clip an entry, with one class as its label.

    Attributes:
        splits: split -> list below the data root, or `list:pattern` for the ids that match a pattern from their start.
        video: folders of videos below the data root; none where the list names sounds only.
        audio: folders of sounds.
        prefix: a pattern at the start of base names that is no part of the id, e.g. CREMA-D's class in
            `Anger_1001_DFA_ANG_XX`. Media are found under the name with it and without it.
    """

    dataset: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]
    tasks: tuple[Task, ...]
    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    prefix: str = ""
    spelling: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"

    @property
    def marker(self) -> str:
        """The first list."""
        return next(iter(self.splits.values())).partition(":")[0]

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the list."""
        file, _, pattern = split_file(self.splits, split, self.dataset).partition(":")
        path = root / file
        lookup = Lookup(root, self.video, self.audio)

        def sample(place: int | str, entry: tuple[str, Mapping[str, Any]]) -> Sample | None:
            name, content = entry
            identity = re.sub(f"^(?:{self.prefix})", "", name)
            if pattern and not re.match(pattern, identity):
                return None
            said = {message["role"]: message["content"] for message in content["messages"]}
            if missing := [role for role in ("user", "assistant") if role not in said]:
                raise AnnotationError(path, place, f"no message of {missing}; it has {sorted(said)}", Fault.MISSING_FIELD)
            return Sample(
                id=identity,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=_media(lookup, name, identity),
                language=self.language,
                subtitle=said["user"].strip(),
                label=one_of(said["assistant"], self.vocabulary, self.spelling, path, place),
                candidates=self.vocabulary,
            )

        yield from entries_as_samples(messages_of(path), sample, path)


def _media(lookup: Lookup, name: str, identity: str) -> Media:
    found = [folder.find(key) for folder in (lookup.videos, lookup.audios) if folder for key in (name, identity)]
    return lookup.media(name if name == identity or not any(found) or any(found[::2]) else identity)


def listed_ids(path: Path) -> frozenset[str]:
    """The clips that a list names: base names without extension, since the prefix is a folder of the authors.

    Raises:
        AnnotationError: the first entry that names no media.
    """
    ids = set()
    for _, entry in messages_of(path):
        if isinstance(entry, AnnotationError):
            raise entry
        ids.add(entry[0])
    return frozenset(ids)


def messages_of(path: Path) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]] | AnnotationError]]:
    """(place, (clip, entry)) of a list; in the place of an entry without media stands the error.

    Raises:
        AnnotationError: the file is not a list.
        FileNotFoundError: no such file.
    """
    entries = load_json(path)
    if not isinstance(entries, list):
        raise AnnotationError(path, 1, f"expected a list of messages, found a {type(entries).__name__}")
    for number, entry in enumerate(entries, start=1):
        place = f"entry {number}"
        if not isinstance(entry, dict):
            yield place, AnnotationError(path, place, f"expected an object with messages, found {entry!r}")
        elif media := entry.get("videos") or entry.get("audios"):
            yield place, (PurePosixPath(str(media[0]).replace("\\", "/")).stem, entry)
        else:
            yield place, AnnotationError(path, place, "names neither videos nor audios", Fault.MISSING_FIELD)
