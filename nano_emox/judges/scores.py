"""Judged scores on disk: one JSON line each, with the judge, its settings and every call that led to the score.

Like the prediction log it continues after a kill. A file belongs to one judge; another one is refused. A failed score is
asked for again when the file is continued, so the last line of a key counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from data_modules.durable import LineFile, whole_lines
from nano_emox.judges.judge import Identity

Key = tuple[str, str, str, str]


class MixedJudges(ValueError):
    """Scores of different judges (or wordings) met where one is meant; they have no common scale."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question to the judge, as it ended."""

    prompt_hash: str
    reply: str | None
    error: str | None
    attempts: int
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeScore:
    """One judged value: labels, a sentiment, or an overlap of 1 to 10. `value=None` is a failed call, never a 0."""

    id: str
    dataset: str
    task: str
    question: str
    value: tuple[str, ...] | str | float | None
    calls: tuple[Call, ...]
    judge: Identity
    wording: str  # digest of the wording of all questions that were asked

    @property
    def key(self) -> Key:
        """What one value is kept for: (dataset, task, id, question)."""
        return self.dataset, self.task, self.id, self.question

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The models that a server says it used."""
        return tuple(sorted({call.answered_by for call in self.calls if call.answered_by}))


def require_one_judge(scores: Iterator[JudgeScore] | list[JudgeScore]) -> Identity | None:
    """Return the judge of all scores, None for no scores.

    Raises:
        MixedJudges: they come from two judges, or one question was asked in two wordings, or the server changed its model.
    """
    first: JudgeScore | None = None
    wordings: dict[str, JudgeScore] = {}
    named: dict[str, JudgeScore] = {}
    for score in scores:
        first = first or score
        if score.judge != first.judge:
            raise MixedJudges(_mixed(first, score, str(first.judge), str(score.judge)))
        other = wordings.setdefault(score.question, score)
        if other.wording != score.wording:
            raise MixedJudges(_mixed(other, score, f"wording {other.wording}", f"wording {score.wording}"))
        for name in score.judged_by:
            named[name] = score
        if len(named) > 1:
            one, two = sorted(named)[:2]
            raise MixedJudges(_mixed(named[one], named[two], f"the server's model {one}", f"the server's model {two}"))
    return first.judge if first else None


def _mixed(first: JudgeScore, second: JudgeScore, one: str, two: str) -> str:
    return (
        f"scores of different judges are not put together: {first.dataset}/{first.id} is by {one},"
        f" {second.dataset}/{second.id} by {two}; give each judge its own file"
    )


def read_scores(path: Path) -> list[JudgeScore]:
    """Read a file of scores, the last of each key; a missing file is an empty one, a torn last line is left out.

    Raises:
        ValueError: names file and line of anything else that is no score.
    """
    return list({score.key: score for score, _ in _lines(path)}.values())


class ScoreLog:
    """An append-only file of one judge's scores.

    Args:
        path: of the JSONL file; its directory is made.
        judge: whose scores it takes.

    Raises:
        MixedJudges: on entering, if the file holds scores of another judge.
    """

    def __init__(self, path: Path, judge: Identity) -> None:
        self.path, self.judge = path, judge
        self._done: dict[Key, JudgeScore] = {}
        self._file: LineFile | None = None

    def __enter__(self) -> Self:
        end = 0
        for score, end in _lines(self.path):  # noqa: B007  (the last end is what we need)
            self._done[score.key] = score
        there = require_one_judge(list(self._done.values()))
        if there is not None and there != self.judge:
            raise MixedJudges(f"{self.path} holds scores by {there}, not by {self.judge}; give each judge its own file")
        self._file = LineFile(self.path, end)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def has(self, key: Key, prompt_wording: str) -> bool:
        """Whether there is a value under this key; a failed one does not count.

        Raises:
            MixedJudges: there is one that was asked for in another wording.
        """
        score = self._done.get(key)
        if score is not None and score.wording != prompt_wording:
            raise MixedJudges(f"{self.path}: {key} was asked for in another wording; start a new file")
        return score is not None and score.value is not None

    def append(self, score: JudgeScore) -> None:
        """Write one score and wait until it is on disk."""
        if self._file is None:
            raise RuntimeError(f"{self.path}: open the log with `with` before appending to it")
        if score.judge != self.judge:
            raise MixedJudges(f"{self.path}: a score by {score.judge} does not belong to {self.judge}")
        line = json.dumps(asdict(score), ensure_ascii=False, allow_nan=False)
        self._file.append(line.encode(errors="backslashreplace"))  # half a surrogate pair, which no server should send
        self._done[score.key] = score


_FIELDS = frozenset(field.name for field in fields(JudgeScore))


def _lines(path: Path) -> Iterator[tuple[JudgeScore, int]]:
    """Yield each score with the byte offset at which its line ends."""
    for number, line, end in whole_lines(path):
        try:
            score = _score_of(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}:{number}: no score of this version ({error}); start a new file") from error
        yield score, end


def _score_of(record: Mapping[str, Any]) -> JudgeScore:
    if record.keys() != _FIELDS:
        raise ValueError(f"fields {sorted(_FIELDS ^ record.keys())} are missing or unknown")
    value = tuple(record["value"]) if isinstance(record["value"], list) else record["value"]
    calls = tuple(Call(**call) for call in record["calls"])
    return JudgeScore(**{**record, "value": value, "calls": calls, "judge": Identity(**record["judge"])})
