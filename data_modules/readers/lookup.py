"""Where the media of a named clip lie: shared by all readers.

A folder is listed once, not asked file by file: a data set on a network disk has 100,000 clips.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_modules.media import MediaError, Reason, resolve_inside
from data_modules.record import Media

VIDEO = (".mp4", ".avi", ".flv", ".mkv", ".webm")
AUDIO = (".wav", ".mp3", ".flac")


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
        """The clip's path, or where it should lie: reading a file that is not there then names that place.

        Raises:
            MediaError: the name leads out of the root; names come from downloaded annotations.
        """
        if found := self.find(name):
            return found
        place = Path(self.folders[0]) / f"{name}{self.extensions[0]}"
        return resolve_inside(self.root, place) if "/" in name or "\\" in name else self.root / place

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
