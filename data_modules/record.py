"""`Sample`: one labelled clip of any data set, for any task. Readers write it, everything else reads it.

A field that a data set does not have is None; an empty text is "" and means that it was recorded as empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from torch import Tensor


class Task(StrEnum):
    """The six affective tasks (supplementary, section B)."""

    MSA = "msa"
    MER = "mer"
    OV_MER = "ov_mer"
    ERI = "eri"
    MIR = "mir"
    ERG = "erg"


@dataclass(frozen=True, slots=True)
class Media:
    """Where a clip lies. `audio=None` means: take the video's own audio track, if it has one.

    Attributes:
        video: a video file, or a directory of images.
        audio: a sound file, already cut to the clip.
        span: (start, end) in seconds of the clip inside the video file, where one file holds many clips.
        crop: (left, top, right, bottom) in [0, 1]: the part of the picture that shows the speaker.
    """

    video: Path | None = None
    audio: Path | None = None
    span: tuple[float, float] | None = None
    crop: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.video is None and self.audio is None:
            raise ValueError("a clip needs a video or an audio file; both are None")
        if self.span is not None and not 0 <= self.span[0] < self.span[1]:
            raise ValueError(f"{self.video}: a span is (start, end) in seconds with 0 <= start < end, not {self.span}")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a dialogue; the role is `speaker` (the person to empathise with) or `listener`."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ChainOfEmpathy:
    """The four steps that precede an empathetic response (supplementary, section D)."""

    event_scenario: str
    speaker_emotion: str
    emotion_cause: str
    goal_to_response: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled clip. `id` is unique inside its data set; `tasks` are those that its labels can answer."""

    id: str
    dataset: str
    split: str
    tasks: tuple[Task, ...]
    media: Media
    language: str = "en"  # of the speech
    subtitle: str | None = None  # what is said in the clip
    label: str | None = None  # one class of `candidates`, as the data set spells it
    candidates: tuple[str, ...] = ()  # sorted
    words: tuple[str, ...] | None = None  # open-vocabulary emotion words
    score: float | None = None  # sentiment, in `score_range`
    score_range: tuple[float, float] | None = None
    description: str | None = None  # emotion reasoning text
    context: str | None = None  # the situation of a dialogue, in a sentence
    history: tuple[Turn, ...] = ()  # turns before the clip's own
    chain: ChainOfEmpathy | None = None
    response: str | None = None  # the listener's reply
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tasks:
            raise ValueError(f"{self.dataset}/{self.id}: a sample needs at least one task")
        if self.candidates and self.label is not None and self.label not in self.candidates:
            raise ValueError(f"{self.dataset}/{self.id}: label {self.label!r} is none of {list(self.candidates)}")
        if self.score is not None and self.score_range and not self.score_range[0] <= self.score <= self.score_range[1]:
            raise ValueError(f"{self.dataset}/{self.id}: score {self.score} is outside {self.score_range}")


@dataclass(frozen=True, slots=True)
class Item:
    """A sample as it is drawn for one step: which of its tasks is asked, and the clip's media or features.

    `draw` is a non-negative integer that depends on (seed, epoch, id) only; it chooses paraphrases.
    `inputs` holds either media or features of the modalities that the clip has:

    - media: `frames` (frames, 3, height, width) uint8 RGB; `clips` (clips, samples) float32 16 kHz
    - features: `visual.last` (frames, dim), `visual.scales` (frames, layers, dim), `speech.last` (clips, dim),
      `speech.scales` (clips, layers, dim), `face.last` (frames, dim)
    """

    sample: Sample
    task: Task
    draw: int
    inputs: Mapping[str, Tensor]
