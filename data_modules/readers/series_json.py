"""Dialogues of television series in one nested JSON: M3ED."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import load_json, one_of, split_file, text_of
from data_modules.record import Sample, Task

FRAMES_PER_SECOND = 25  # the last part of a time code counts frames


@dataclass(frozen=True)
class SeriesJson:
    """M3ED: `annotation.json` is series -> dialogue -> utterance; the splits are lists of series.

    How utterances are named is the release's affair: an id is only ever looked up. Sounds are `{Speaker}_{utterance}.wav`,
    in one folder, or in one per series or split inside it.
    """

    dataset: str
    folder: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]  # split -> list of series
    spelling: Mapping[str, str] = field(default_factory=dict)
    annotation: str = "annotation.json"
    audio: str = "modality_speech"
    language: str = "zh"
    tasks: tuple[Task, ...] = (Task.MER,)

    @property
    def marker(self) -> str:
        """The annotation file."""
        return f"{self.folder}/{self.annotation}"

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by series, dialogue and utterance. Series in none of the lists come with the first split."""
        top = root / self.folder
        listing = top / split_file(self.splits, split, self.dataset)
        path = top / self.annotation
        annotation = load_json(path)
        if not isinstance(annotation, dict):
            raise AnnotationError(path, 1, f"expected series -> dialogue -> utterance, found a {type(annotation).__name__}")
        inner = (*annotation, "train", "val", "test")
        lookup = Lookup(top, audio=(self.audio, *(f"{self.audio}/{name}" for name in inner)))

        def sample(place: int | str, entry: tuple[str, str, str, Mapping[str, Any]]) -> Sample:
            series, dialogue, utterance, content = entry
            emotion = content["EmoAnnotation"]
            words = (self._spelt(word) for word in emotion.get("final_mul_emo", "").split(","))
            return Sample(
                id=utterance,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(f"{content['Speaker']}_{utterance}"),
                language=self.language,
                subtitle=content["Text"],
                label=one_of(emotion["final_main_emo"], self.vocabulary, self.spelling, path, place),
                candidates=self.vocabulary,
                words=tuple(word for word in words if word) or None,
                meta={
                    "series": series,
                    "dialogue": dialogue,
                    "speaker": content["Speaker"],
                    "start": seconds_of(str(content.get("StartTime"))),
                    "end": seconds_of(str(content.get("EndTime"))),
                },
            )

        yield from entries_as_samples(_utterances(annotation, listing, path), sample, path)
        if split == next(iter(self.splits)):
            yield from self._unlisted(top, annotation)

    def _unlisted(self, top: Path, annotation: Mapping[str, Any]) -> Iterator[AnnotationError]:
        lists = [top / file for file in self.splits.values()]
        if not all(path.exists() for path in lists):
            return
        listed = {name for path in lists for _, name in _names(path)}
        for series in annotation:
            if series not in listed:
                problem = f"series {series!r} is in none of the lists {list(self.splits.values())}"
                yield AnnotationError(top / self.annotation, series, problem, Fault.NO_SPLIT)

    def _spelt(self, word: str) -> str:
        word = word.strip().lower()
        return self.spelling.get(word, word)


def seconds_of(code: str) -> float | None:
    """Seconds of a time code `hours:minutes:seconds:frames`; None where it is not one."""
    match = re.fullmatch(r"(\d+):(\d+):(\d+):(\d+)", code.strip())
    if match is None:
        return None
    hours, minutes, seconds, frames = map(int, match.groups())
    return 3600 * hours + 60 * minutes + seconds + frames / FRAMES_PER_SECOND


def _names(listing: Path) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(text_of(listing).splitlines(), start=1):
        if name := text.strip():
            yield line, name


def _utterances(
    annotation: Mapping[str, Any], listing: Path, path: Path
) -> Iterator[tuple[str, tuple[str, str, str, Mapping[str, Any]] | AnnotationError]]:
    for line, series in _names(listing):
        dialogues = annotation.get(series)
        if not isinstance(dialogues, dict):
            yield series, AnnotationError(listing, line, f"no dialogues of series {series!r} in {path}", Fault.MISSING_FIELD)
            continue
        for dialogue, content in dialogues.items():
            utterances = content.get("Dialog") if isinstance(content, dict) else None
            if not isinstance(utterances, dict):
                problem = "no utterances under 'Dialog'"
                yield dialogue, AnnotationError(path, dialogue, problem, Fault.MISSING_FIELD)
                continue
            for utterance, entry in utterances.items():
                yield f"{dialogue}/{utterance}", (series, dialogue, utterance, entry)
