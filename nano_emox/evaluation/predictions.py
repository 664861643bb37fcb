"""Predictions on disk: one JSON line each, safe on disk before the next clip starts.

A killed evaluation leaves at most one torn line at the end; it is cut off when the log is opened again, and that clip
is asked once more. A broken line anywhere else is an error, since it is nobody's accident.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from data_modules.durable import LineFile, whole_lines
from data_modules.record import Sample, Task

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer beside its gold. What the parser did not find is None; scores count it as wrong."""

    id: str
    dataset: str
    task: str  # a value of data_modules.record.Task
    prompt_hash: str  # of the whole prompt, so that a changed template is noticed
    text: str  # the answer as it was generated
    parsed: bool
    label: str | None = None
    words: tuple[str, ...] | None = None
    sentiment: str | None = None  # positive, negative or neutral
    emotion: str | None = None  # of the speaker (ERG)
    reply: str | None = None
    description: str | None = None
    gold_label: str | None = None
    gold_words: tuple[str, ...] | None = None
    gold_score: float | None = None
    gold_emotion: str | None = None
    gold_reply: str | None = None
    gold_description: str | None = None

    def __post_init__(self) -> None:
        Task(self.task)  # ValueError for a task that is none of the six

    @property
    def key(self) -> Key:
        """What may occur once in a log: (dataset, task, id)."""
        return self.dataset, self.task, self.id

    @classmethod
    def of(cls, sample: Sample, task: Task, prompt_hash: str, text: str, *, parsed: bool, **answer: Any) -> Self:
        """Put an answer beside the gold of its sample; `answer` holds the parsed fields by name."""
        return cls(
            id=sample.id,
            dataset=sample.dataset,
            task=task.value,
            prompt_hash=prompt_hash,
            text=text,
            parsed=parsed,
            **answer,
            gold_label=sample.label,
            gold_words=sample.words,
            gold_score=sample.score,
            gold_emotion=sample.chain.speaker_emotion if sample.chain else sample.label,
            gold_reply=sample.response,
            gold_description=sample.description,
        )


_NAMES = frozenset(field.name for field in fields(Prediction))
_TUPLES = ("words", "gold_words")


def read_predictions(path: Path) -> list[Prediction]:
    """Read a log; a missing file is an empty one, and a torn last line is left out.

    Raises:
        ValueError: names file and line of anything else that is no prediction, and of an answer given twice.
    """
    return [prediction for prediction, _ in _lines(path)]


def _lines(path: Path) -> Iterator[tuple[Prediction, int]]:
    """Yield each prediction with the byte offset at which its line ends."""
    seen: dict[Key, int] = {}
    for number, line, end in whole_lines(path):
        prediction = _parse(line, f"{path}:{number}")
        if prediction.key in seen:
            raise ValueError(f"{path}:{number}: {prediction.key} is already in line {seen[prediction.key]}")
        seen[prediction.key] = number
        yield prediction, end


def _parse(line: bytes, where: str) -> Prediction:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: no JSON ({error}); the log was changed by hand or the disk is damaged") from error
    if not isinstance(record, dict) or not record.keys() <= _NAMES:
        extra = sorted(record.keys() - _NAMES) if isinstance(record, dict) else [type(record).__name__]
        raise ValueError(f"{where}: unknown fields {extra}; this log was written by another version, start a new one")
    tuples = {name: tuple(record[name]) for name in _TUPLES if record.get(name) is not None}
    try:
        return Prediction(**(record | tuples))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


class PredictionLog:
    """An append-only log that continues where a killed run stopped.

    with PredictionLog(path) as log:
        for item in items:
            if key_of(item) not in log:
                log.append(predict(item))
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: dict[Key, str] = {}
        self._file: LineFile | None = None

    def __enter__(self) -> Self:
        end = 0
        for prediction, end in _lines(self.path):  # noqa: B007  (the last end is what we need)
            self._seen[prediction.key] = prediction.prompt_hash
        self._file = LineFile(self.path, end)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __contains__(self, key: Key) -> bool:
        return key in self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def prompt_hash(self, key: Key) -> str | None:
        """Return the hash of the prompt that this answer was given to, or None without an answer."""
        return self._seen.get(key)

    def append(self, prediction: Prediction) -> None:
        """Write one prediction and wait until it is on disk.

        Raises:
            ValueError: there is an answer under this key already.
        """
        if self._file is None:
            raise RuntimeError(f"{self.path}: open the log with `with` before appending to it")
        if prediction.key in self._seen:
            raise ValueError(f"{self.path}: {prediction.key} is already answered")
        line = json.dumps(asdict(prediction), ensure_ascii=False, allow_nan=False)
        self._file.append(line.encode())
        self._seen[prediction.key] = prediction.prompt_hash
