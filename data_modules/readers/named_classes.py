"""Closed-label clips whose label is in the file's own name: CREMA-D."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import AUDIO, VIDEO, Folder, Lookup
from data_modules.readers.tables import rows_of, split_file
from data_modules.record import Sample, Task

_NAME = re.compile(r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>[A-Z]{1,2})")
_DISTINCT = len("1040_ITH_SAD_X")  # the first letter of the level tells the four levels apart


@dataclass(frozen=True)
class NamedClasses:
    """CREMA-D: `1001_DFA_ANG_XX` is actor, sentence, emotion and level. It has no official split: ours is by actor.

    The last digit of the actor decides (`splits`), so no actor is in two splits. One file of the release is misnamed
    (`1040_ITH_SAD_X`), therefore a level of one letter is accepted. A clip that `listing` names and that is not there is
    a missing file, not one sample less. Names that do not parse are reported with the first split.

    The label is the emotion that the actor was asked for. What raters perceived is in `meta["perceived"]` where the
    table of votes is there: `{"voice": [...], "face": [...], "multimodal": [...]}`, ties as several words.
    """

    dataset: str
    folder: str
    marker: str
    vocabulary: tuple[str, ...]
    codes: Mapping[str, str]  # ANG -> anger
    sentences: Mapping[str, str]  # DFA -> "Don't forget a jacket"
    splits: Mapping[str, str]  # split -> last digits of the actor
    audio: tuple[str, ...] = ("AudioWAV",)
    video: tuple[str, ...] = ()
    listing: str = "SentenceFilenames.csv"
    votes: str = "processedResults/summaryTable.csv"
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by name."""
        digits = split_file(self.splits, split, self.dataset)
        top = root / self.folder
        lookup = Lookup(top, self.video, self.audio)
        names = self._names(top)
        perceived = self._perceived(top / self.votes)

        def sample(_: int | str, name: str) -> Sample | None:
            match = _NAME.fullmatch(name)
            if match is None:
                if split != next(iter(self.splits)):
                    return None
                raise AnnotationError(top, name, "expected a name such as 1001_DFA_ANG_XX: actor, sentence, emotion, level")
            if match["actor"][-1] not in digits:
                return None
            if match["emotion"] not in self.codes:
                raise AnnotationError(top, name, f"{match['emotion']} is none of {sorted(self.codes)}", Fault.UNKNOWN_LABEL)
            votes = {"perceived": perceived[name]} if name in perceived else {}
            return Sample(
                id=name,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(name),
                language=self.language,
                subtitle=self.sentences.get(match["sentence"]),
                label=self.codes[match["emotion"]],
                candidates=self.vocabulary,
                meta={"actor": match["actor"], "level": match["level"], **votes},
            )

        yield from entries_as_samples(((name, name) for name in names), sample, top)

    def _names(self, top: Path) -> list[str]:
        found = set(Folder(top, (*self.video, *self.audio), (*VIDEO, *AUDIO)).names())
        if not found:
            raise FileNotFoundError(f"{self.dataset}: no clips in {[str(top / part) for part in (*self.video, *self.audio)]}")
        there = {name[:_DISTINCT] for name in found}
        listing = top / self.listing
        rows = rows_of(listing, columns=("Filename",)) if listing.exists() else iter(())
        listed = {row["Filename"].strip() for _, row in rows if not isinstance(row, AnnotationError)}
        return sorted({*found, *(name for name in listed if name[:_DISTINCT] not in there)})

    def _perceived(self, path: Path) -> dict[str, dict[str, list[str]]]:
        if not path.exists():
            return {}
        words = {code[0]: word for code, word in self.codes.items()}
        columns = {"voice": "VoiceVote", "face": "FaceVote", "multimodal": "MultiModalVote"}
        return {
            row["FileName"]: {
                channel: [words[letter] for letter in row[column].split(":") if letter in words]
                for channel, column in columns.items()
            }
            for _, row in rows_of(path, columns=("FileName", *columns.values()))
            if not isinstance(row, AnnotationError)
        }
