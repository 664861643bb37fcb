"""Closed-label clips whose label is in the folder, in a list file, or in the file's own name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data_modules.media import resolve_inside
from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import AUDIO, VIDEO, Folder, Lookup
from data_modules.readers.tables import one_of, split_file
from data_modules.record import Media, Sample, Task


@dataclass(frozen=True)
class ClassFolder:
    """CAER: `{split}/{Class}/0001.avi`. Base names repeat in every class, so the id is `split/Class/stem`."""

    dataset: str
    marker: str  # the data set's folder
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]  # split -> folder
    spelling: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by class and name."""
        top = root / self.marker / split_file(self.splits, split, self.dataset)
        if not top.is_dir():
            raise FileNotFoundError(f"{self.dataset}: no folder {top}; expected {top}/<class>/<clip>")
        folders = {path.name: Folder(top, (path.name,), VIDEO) for path in sorted(top.iterdir()) if path.is_dir()}

        def sample(_: int | str, entry: tuple[str, str]) -> Sample:
            folder, stem = entry
            return Sample(
                id=f"{top.name}/{folder}/{stem}",
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=Media(video=folders[folder].expected(stem)),
                language=self.language,
                label=one_of(folder, self.vocabulary, self.spelling, top / folder, "folder"),
                candidates=self.vocabulary,
            )

        clips = ((f"{name}/{stem}", (name, stem)) for name, folder in folders.items() for stem in sorted(folder.names()))
        yield from entries_as_samples(clips, sample, top)


@dataclass(frozen=True)
class ListedClasses:
    """FERV39k: a list of `Scene/Emotion/NNNN Label`, over videos or over directories of images.

    Some copies of the list have a header line, and some copies of the clips are images only.
    """

    dataset: str
    marker: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]  # split -> list file
    media: tuple[str, ...]  # folders in the order in which they are tried
    spelling: Mapping[str, str] = field(default_factory=dict)
    language: str = "zh"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the list."""
        top = root / self.marker
        path = top / split_file(self.splits, split, self.dataset)
        folders: dict[str, list[Folder]] = {}

        def sample(line: int | str, text: str) -> Sample | None:
            fields = re.split(r"[\s,]+", text.strip())
            if not text.strip() or (line == 1 and "/" not in fields[0]):
                return None
            if len(fields) != 2 or fields[0].count("/") < 1:
                raise AnnotationError(path, line, f"expected 'Scene/Emotion/NNNN Label', found {text!r}")
            resolve_inside(top, fields[0])
            parent, _, name = fields[0].rpartition("/")
            name = re.sub(r"\.(mp4|avi)$", "", name)
            if parent not in folders:
                folders[parent] = [Folder(top / place, (parent,), VIDEO) for place in self.media]
            found = next((hit for folder in folders[parent] if (hit := folder.find(name))), None)
            return Sample(
                id=f"{parent}/{name}",
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=Media(video=found or folders[parent][0].expected(name)),
                language=self.language,
                label=one_of(fields[1], self.vocabulary, self.spelling, path, line),
                candidates=self.vocabulary,
                meta={"scene": parent.split("/")[0]},
            )

        lines = path.read_text(encoding="utf-8-sig").splitlines()
        yield from entries_as_samples(enumerate(lines, start=1), sample, path)


@dataclass(frozen=True)
class NamedClasses:
    """CREMA-D: `1001_DFA_ANG_XX` is actor, sentence, emotion and level. It has no official split: ours is by actor.

    The last digit of the actor decides (`splits`), so no actor is in two splits. One file of the release is misnamed
    (`1040_ITH_SAD_X`), therefore any level is accepted.
    """

    dataset: str
    marker: str
    vocabulary: tuple[str, ...]
    codes: Mapping[str, str]  # ANG -> anger
    sentences: Mapping[str, str]  # DFA -> "Don't forget a jacket"
    splits: Mapping[str, str]  # split -> last digits of the actor
    audio: tuple[str, ...] = ("AudioWAV", "AudioMP3")
    video: tuple[str, ...] = ()  # ("VideoFlash",) to use the pictures too; the paper uses the voice
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by name."""
        digits = split_file(self.splits, split, self.dataset)
        top = root / self.marker
        lookup = Lookup(top, self.video, self.audio)
        names = sorted(Folder(top, (*self.video, *self.audio), (*VIDEO, *AUDIO)).names())
        if not names:
            raise FileNotFoundError(f"{self.dataset}: no clips in {[str(top / folder) for folder in self.audio]}")

        def sample(_: int | str, name: str) -> Sample | None:
            match = re.fullmatch(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})", name)
            if match is None or match[3] not in self.codes:
                problem = f"expected actor_sentence_emotion_level with emotion in {sorted(self.codes)}"
                raise AnnotationError(top, name, problem, Fault.UNKNOWN_LABEL)
            if match[1][-1] not in digits:
                return None
            return Sample(
                id=name,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(name),
                language=self.language,
                subtitle=self.sentences.get(match[2]),
                label=self.codes[match[3]],
                candidates=self.vocabulary,
                meta={"actor": match[1], "level": match[4]},
            )

        yield from entries_as_samples(((name, name) for name in names), sample, top)
