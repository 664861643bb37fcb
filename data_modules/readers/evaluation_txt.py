"""Long recordings of two speakers whose turns are annotated by time in text files: IEMOCAP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import AUDIO, Folder
from data_modules.readers.tables import text_of
from data_modules.record import Media, Sample, Task

_TURN = re.compile(
    r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\s+(?P<turn>(?P<session>Ses\d\d)(?P<named>[FM])\w*_(?P<speaker>[FM])\w+)\s+"
    r"(?P<emotion>\w+)\s+"
    r"\[(?P<valence>[\d.]+), (?P<arousal>[\d.]+), (?P<dominance>[\d.]+)\]"
)
_SAID = re.compile(r"(?P<turn>\S+) \[[\d.]+-[\d.]+\]:(?P<text>.*)")
HALVES: dict[str, tuple[float, float, float, float]] = {"left": (0.0, 0.0, 0.5, 1.0), "right": (0.5, 0.0, 1.0, 1.0)}


@dataclass(frozen=True)
class EvaluationTxt:
    """IEMOCAP: `dialog/EmoEvaluation/{dialogue}.txt` has lines `[start - end] turn emotion [V, A, D]`, times in seconds.

    A clip is cut from the video of its dialogue by time, and cropped to the half of the picture that shows the speaker. The
    letter after the session (`Ses05F_impro01`) names the person on one side, the letter of the turn (`_M003`) the speaker.
    MER-UniBench puts the named person on the left. Sound is `sentences/wav/{dialogue}/{turn}.wav`, or the video's. A
    session without a folder of videos is read as sound alone.

    Attributes:
        folder: of the release below the data root, which may hold `IEMOCAP_full_release`.
        splits: split -> numbers of the sessions.
        codes: emotion in the file -> class.
        left_out: emotions of turns that are not part of the data set.
        named_side: where the person is whom the dialogue's letter names.
    """

    dataset: str
    folder: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]
    codes: Mapping[str, str]
    left_out: tuple[str, ...]
    named_side: Literal["left", "right"] = "left"
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.MER,)

    @property
    def marker(self) -> str:
        """The release's folder."""
        return self.folder

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by session, dialogue and turn."""
        if split not in self.splits:
            raise ValueError(f"{self.dataset} has no split {split!r}; there are {sorted(self.splits)}")
        top = root / self.folder
        inner = top / "IEMOCAP_full_release"
        for number in self.splits[split]:
            yield from self._session((inner if inner.is_dir() else top) / f"Session{number}", split)

    def _session(self, session: Path, split: str) -> Iterator[Sample | AnnotationError]:
        labels = session / "dialog/EmoEvaluation"
        if not labels.is_dir():
            raise FileNotFoundError(f"{self.dataset}: no folder {labels}; unpack the whole release below {session.parent}")
        videos = Folder(session, ("dialog/avi/DivX", "dialog/avi"), (".avi", ".mp4"))
        for path in sorted(labels.glob("Ses*.txt")):  # not the `._Ses*.txt` that macOS leaves
            yield from self._dialogue(session, path, split, videos if videos.names() else None)

    def _dialogue(self, session: Path, path: Path, split: str, videos: Folder | None) -> Iterator[Sample | AnnotationError]:
        dialogue = path.stem
        transcript = session / "dialog/transcriptions" / path.name
        said = _transcript(transcript)
        sounds = Folder(session, (f"sentences/wav/{dialogue}",), AUDIO)

        def sample(line: int | str, text: str) -> Sample | None:
            match = _TURN.match(text)
            if match is None:
                raise AnnotationError(path, line, f"expected '[start - end] turn emotion [V, A, D]', found {text!r}")
            turn, code = match["turn"], match["emotion"]
            if code in self.left_out:
                return None
            if code not in self.codes:
                known = [*self.codes, *self.left_out]
                raise AnnotationError(path, line, f"emotion {code!r} of {turn} is none of {known}", Fault.UNKNOWN_LABEL)
            if turn not in said:
                raise AnnotationError(transcript, turn, "no line for this turn; an empty one is enough", Fault.NO_SUBTITLE)
            span = (float(match["start"]), float(match["end"]))
            if not span[0] < span[1]:
                raise AnnotationError(path, line, f"{turn} ends at {span[1]} s, not after its start at {span[0]} s")
            return Sample(
                id=turn,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=self._media(dialogue, match, span, videos, sounds),
                language=self.language,
                subtitle=said[turn],
                label=self.codes[code],
                candidates=self.vocabulary,
                meta={
                    "dialogue": dialogue,
                    "speaker": match["session"] + match["speaker"],
                    "emotion": code,
                    **{name: float(match[name]) for name in ("valence", "arousal", "dominance")},
                },
            )

        lines = enumerate(text_of(path).splitlines(), start=1)
        turns = ((line, text) for line, text in lines if text.startswith("["))  # the other lines are single raters
        yield from entries_as_samples(turns, sample, path)

    def _media(
        self, dialogue: str, turn: re.Match[str], span: tuple[float, float], videos: Folder | None, sounds: Folder
    ) -> Media:
        if videos is None:
            return Media(audio=sounds.expected(turn["turn"]))
        other_side = {"left": "right", "right": "left"}[self.named_side]
        side = self.named_side if turn["named"] == turn["speaker"] else other_side
        return Media(videos.expected(dialogue), sounds.find(turn["turn"]), span=span, crop=HALVES[side])


def _transcript(path: Path) -> dict[str, str]:
    """Turn -> text. A turn that is there twice keeps its first text; lines without times are remarks."""
    said: dict[str, str] = {}
    for line in text_of(path).splitlines() if path.exists() else ():
        if match := _SAID.match(line):
            said.setdefault(match["turn"], match["text"].strip())
    return said
