"""Where the media of a named clip lie, and how annotation files are read: shared by all readers.

A folder is listed once, not asked file by file: a data set on a network disk has 100,000 clips.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from data_modules.media import MediaError, Reason
from data_modules.record import Media, Sample, Task

VIDEO = (".mp4", ".avi", ".flv", ".mkv", ".webm")
AUDIO = (".wav", ".mp3", ".flac")


class AnnotationError(ValueError):
    """An annotation that cannot be used: which file, where in it, what was expected."""

    def __init__(self, path: Path, place: int | str, problem: str) -> None:
        super().__init__(f"{path}:{place}: {problem}")
        self.path, self.place, self.problem = path, place, problem

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.place, self.problem)


class Reader(Protocol):
    """What reads one data set from its own layout."""

    @property
    def dataset(self) -> str:
        """Name of the data set."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What its labels can answer."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Its classes, sorted; empty where they are open."""

    @property
    def marker(self) -> str:
        """A file or folder below the data root by which its presence is known."""

    def read(self, root: Path, split: str) -> list[Sample]:
        """The samples of one split, in the order of the annotation."""


@dataclass
class Folder:
    """The media below some folders, by name without extension.

    Folders are tried in order, each also as the nested folder of the same name that unpacked archives leave
    (`video/video`), extensions in order, then a directory of images.
    """

    root: Path
    folders: Sequence[str]
    extensions: Sequence[str]
    _found: dict[str, str] | None = field(default=None, repr=False)

    def find(self, name: str) -> Path | None:
        """The file or directory of images that holds the clip `name`; None where there is none."""
        found = self.names().get(name)
        if found is None:
            return None
        path = Path(found)
        if path.is_symlink() and not path.resolve().is_relative_to(self.root.resolve()):
            raise MediaError(path, Reason.OUTSIDE_ROOT, f"a link that leads out of {self.root}; put the file itself there")
        return path

    def expected(self, name: str) -> Path:
        """The clip's path, or where it should lie: reading a file that is not there then names that place."""
        return self.find(name) or self.root / self.folders[0] / f"{name}{self.extensions[0]}"

    def starting_with(self, prefix: str) -> Path | None:
        """The only clip whose name starts with `prefix`; None where there is none or more than one."""
        names = [name for name in self.names() if name.startswith(prefix)]
        return self.find(names[0]) if len(names) == 1 else None

    def names(self) -> Mapping[str, str]:
        """All clips: name -> path."""
        if self._found is None:
            self._found = {}
            rank = {extension: i for i, extension in enumerate(self.extensions)}
            for folder in self.folders:
                here = self.root / folder
                for place in (here, here / here.name):
                    for name, path in _list(place, rank):
                        self._found.setdefault(name, path)
        return self._found


def _list(place: Path, rank: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if not place.is_dir():
        return
    entries: list[tuple[int, str, str]] = []
    with os.scandir(place) as scan:
        for entry in scan:
            stem, extension = Path(entry.name).stem, Path(entry.name).suffix
            if entry.name.startswith("._"):  # left by macOS archives
                continue
            if extension.lower() in rank:
                entries.append((rank[extension.lower()], stem, entry.path))
            elif entry.is_dir():
                entries.append((len(rank), entry.name, entry.path))
    for _, stem, path in sorted(entries):
        yield stem, path


@dataclass
class Lookup:
    """Finds the `Media` of a clip: its video, and its sound where that has a file of its own."""

    root: Path
    video: Sequence[str] = ()
    audio: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.videos = Folder(self.root, self.video, VIDEO) if self.video else None
        self.audios = Folder(self.root, self.audio, AUDIO) if self.audio else None

    def media(self, name: str) -> Media:
        """Media of the clip `name`. A separate sound file is optional wherever there is a video."""
        if self.videos is None:
            assert self.audios is not None
            return Media(audio=self.audios.expected(name))
        return Media(self.videos.expected(name), self.audios.find(name) if self.audios else None)


def rows_of(path: Path, *, delimiter: str = ",", columns: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a table with a header; a byte order mark and CRLF are accepted.

    Raises:
        AnnotationError: the file lacks one of `columns`, or a row has not as many fields as the header.
        FileNotFoundError: no such file.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL)
        header = table.fieldnames or []
        if missing := [column for column in columns if column not in header]:
            raise AnnotationError(path, 1, f"no column {missing}; the file has {list(header)}")
        for row in table:
            if None in row or None in row.values():
                raise AnnotationError(path, table.line_num, f"{_width(row)} fields where the header has {len(header)}")
            yield table.line_num, row


def _width(row: Mapping[Any, Any]) -> int:
    return sum(value is not None for key, value in row.items() if key is not None) + len(row.get(None) or [])


def one_of(label: str, vocabulary: Sequence[str], spelling: Mapping[str, str], path: Path, place: int | str) -> str:
    """The data set's spelling of a label, found without regard to case; `spelling` maps other forms (lower case) first.

    Raises:
        AnnotationError: the label is none of the vocabulary.
    """
    wanted = spelling.get(label.strip().casefold(), label.strip()).casefold()
    for word in vocabulary:
        if word.casefold() == wanted:
            return word
    raise AnnotationError(path, place, f"label {label!r} is none of {list(vocabulary)}")


def unique(samples: list[Sample], path: Path) -> list[Sample]:
    """The samples as they are.

    Raises:
        AnnotationError: two of them have one id.
    """
    seen: dict[str, int] = {}
    for number, sample in enumerate(samples, start=1):
        if sample.id in seen:
            raise AnnotationError(path, f"entry {number}", f"id {sample.id!r} again; first at entry {seen[sample.id]}")
        seen[sample.id] = number
    return samples


def split_file(files: Mapping[str, str], split: str, dataset: str) -> str:
    """The value of a split in a declaration.

    Raises:
        ValueError: the data set has no such split.
    """
    if split not in files:
        raise ValueError(f"{dataset} has no split {split!r}; there are {sorted(files)}")
    return files[split]


def words_of(text: str) -> tuple[str, ...]:
    """Open-set words from `[a, b]`, `['a', 'b']` or `a, b`: the releases use all three."""
    parts = (part.strip().strip("\"'").strip().lower() for part in text.strip().strip("[]").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))
