"""Clips of one's own, from a JSONL or a CSV: what a line may say stands in `FIELDS`, and with examples in docs/datasets/generic.md."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from glob import escape
from pathlib import Path
from typing import Any

from data_modules.containers import MediaError, Reason, resolve_inside
from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.tables import rows_of, text_of, words_of
from data_modules.record import ChainOfEmpathy, Media, Sample, Task, Turn

FIELDS: Mapping[str, str] = {
    "id": "unique; without it the path of the video, or of the audio, without extension",
    "video": "path of a video or of a folder of images, relative to the file of the list",
    "audio": "path of a sound; without it the video's own track",
    "start": "seconds; with `end`: the clip is this part of the video",
    "end": "seconds",
    "split": "train (also where the field is missing), validation (val, valid, dev) or test",
    "tasks": "mer, mir, msa, ov_mer, eri, erg: one or several; without it those that the other fields answer, a label being mer",
    "subtitle": "what is said in the clip",
    "language": "of the speech; without it en",
    "label": "one class, for mer and mir",
    "candidates": "all classes; without it every label of the file that has the same tasks",
    "words": "open emotion words, for ov_mer",
    "score": "sentiment, for msa",
    "score_min": "the lowest score there can be",
    "score_max": "the highest one",
    "description": "reasons in free text, for eri",
    "context": "the situation of a dialogue, in a sentence",
    "history": 'earlier turns: [{"role": "speaker" or "listener", "text": ...}, ...]',
    "chain": "object of event_scenario, speaker_emotion, emotion_cause, goal_to_response",
    "response": "the listener's reply, for erg",
}
NEEDS = {
    Task.MER: "label",
    Task.MIR: "label",
    Task.MSA: "score",
    Task.OV_MER: "words",
    Task.ERI: "description",
    Task.ERG: "response",
}
SPLITS = {"val": "validation", "valid": "validation", "dev": "validation"} | {s: s for s in ("train", "validation", "test")}
_TEXTS = ("subtitle", "language", "label", "description", "context", "response", "video", "audio", "split")
_NUMBERS = ("score", "score_min", "score_max", "start", "end")
_CLOSE = 0.8  # how like one of the fields another name has to be, from 0 to 1, to be taken for a slip

Row = Mapping[str, Any]


@dataclass(frozen=True)
class OwnClips:
    """A list of clips: JSON objects, one a line (`.jsonl`), or a table with a header (`.csv`, `.tsv`).

    In a table lists are divided by `|`, `history` and `chain` are JSON, and an empty cell is a missing field. Fields with other
    names are kept in `meta`; a name that is nearly one of ours is an error of its line (of the file, where it is in the header
    of a table), since it is nearly always a slip.

    Attributes:
        file: below the data root; the paths in it start at its folder and stay in it.
    """

    dataset: str
    file: str
    splits: tuple[str, ...] = ("train", "validation", "test")
    tasks: tuple[Task, ...] = tuple(Task)
    vocabulary: tuple[str, ...] = ()

    @property
    def marker(self) -> str:
        """The file, as a pattern."""
        return escape(self.file)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the lines. A line that cannot be read at all is reported with `train`."""
        if split not in self.splits:
            raise ValueError(f"{self.dataset} has no split {split!r}; there are {list(self.splits)}")
        path = resolve_inside(root, self.file)
        places = _Places(path.parent)
        lines = list(_lines(path))
        if not lines:
            raise AnnotationError(path, 1, "the list is empty; docs/datasets/generic.md says what a line looks like")
        labels: dict[str, set[str]] = {}
        for _, row in lines:
            if isinstance(row, AnnotationError) or not isinstance(row.get("label"), str):
                continue
            if _has(row, "label") and not row.get("candidates"):
                labels.setdefault(_kind(row), set()).add(row["label"])
        classes = {kind: tuple(sorted(found)) for kind, found in labels.items()}
        first_line: dict[str, int] = {}

        def of_split() -> Iterator[tuple[int, Row | AnnotationError]]:
            for line, row in lines:
                if isinstance(row, AnnotationError):
                    if split == "train":
                        yield line, row
                    continue
                said = str(row.get("split", "train")).strip().casefold()
                identity = _identity(row)
                again = first_line.setdefault(identity, line) if identity else line
                if said not in SPLITS:
                    if split == "train":
                        problem = f"split {row['split']!r} is none of {sorted(SPLITS)}"
                        yield line, AnnotationError(path, line, problem, Fault.NO_SPLIT)
                elif SPLITS[said] == split and again != line:
                    yield line, AnnotationError(path, line, f"id {identity!r} again; first in line {again}", Fault.DUPLICATE_ID)
                elif SPLITS[said] == split:
                    yield line, row

        def sample(line: int | str, row: Row) -> Sample:
            candidates = tuple(sorted(row["candidates"])) if row.get("candidates") else classes.get(_kind(row), ())
            return self._sample(row, split, candidates, places, path, line)

        yield from entries_as_samples(of_split(), sample, path)

    def _sample(
        self, row: Row, split: str, candidates: tuple[str, ...], places: _Places, path: Path, line: int | str
    ) -> Sample:  # fmt: skip
        for name, value in row.items():
            if slip := _slip(name):
                raise AnnotationError(path, line, slip)
            if name in _TEXTS and not isinstance(value, str):
                raise AnnotationError(path, line, f"{name!r} has to be text, not {value!r}")
            if name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
                raise AnnotationError(path, line, f"{name!r} has to be a number, not {value!r}")
            if name in ("words", "candidates") and not (isinstance(value, list) and all(isinstance(w, str) for w in value)):
                raise AnnotationError(path, line, f"{name!r} has to be a list of texts, not {value!r}")
            if name in ("video", "audio") and "\0" in value:
                raise AnnotationError(path, line, f"{name!r} has a NUL character, which no path can have: {value!r}")
        tasks = _tasks(row, path, line)
        for task in tasks:
            if not _has(row, NEEDS[task]):
                problem = f"task {task.value!r} needs the field {NEEDS[task]!r}"
                raise AnnotationError(path, line, problem, Fault.MISSING_FIELD)
        if not (row.get("video") or row.get("audio")):
            raise AnnotationError(path, line, "names neither a video nor an audio file", Fault.MISSING_FIELD)
        if ("start" in row) != ("end" in row):
            raise AnnotationError(path, line, "has only one of start and end", Fault.MISSING_FIELD)
        if "start" in row and not row.get("video"):
            raise AnnotationError(path, line, "start and end are times in a video; a sound is taken whole: cut the file itself")
        if "label" in row and row["label"] not in candidates:
            raise AnnotationError(path, line, f"label {row['label']!r} is none of {list(candidates)}", Fault.UNKNOWN_LABEL)
        low, high = row.get("score_min", -math.inf), row.get("score_max", math.inf)
        if "score" in row and not low <= row["score"] <= high:
            raise AnnotationError(path, line, f"score {row['score']} is outside ({low}, {high})", Fault.OUT_OF_RANGE)
        bounded = "score" in row and "score_min" in row and "score_max" in row
        return Sample(
            id=_identity(row),
            dataset=self.dataset,
            split=split,
            tasks=tasks,
            media=Media(
                video=places.inside(row["video"]) if row.get("video") else None,
                audio=places.inside(row["audio"]) if row.get("audio") else None,
                span=(float(row["start"]), float(row["end"])) if "start" in row else None,
            ),
            language=row.get("language", "en"),
            subtitle=row.get("subtitle"),
            label=row.get("label"),
            candidates=candidates if "label" in row else (),
            words=tuple(row["words"]) if "words" in row else None,
            score=float(row["score"]) if "score" in row else None,
            score_range=(float(low), float(high)) if bounded else None,
            description=row.get("description"),
            context=row.get("context"),
            history=tuple(Turn(turn["role"], turn["text"]) for turn in row.get("history", ())),
            chain=ChainOfEmpathy(**row["chain"]) if "chain" in row else None,
            response=row.get("response"),
            meta={name: value for name, value in row.items() if name not in FIELDS},
        )


def _identity(row: Row) -> str:
    if "id" in row:
        return str(row["id"])
    return os.path.splitext(str(row.get("video") or row.get("audio") or ""))[0]  # noqa: PTH122 - once a line, and much faster


def _kind(row: Row) -> str:
    """Which rows share their classes."""
    tasks = row.get("tasks", "mer")
    return ",".join(sorted(map(str, tasks if isinstance(tasks, list) else [tasks])))


def _has(row: Row, name: str) -> bool:
    value = row.get(name)
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [], ())


@lru_cache(maxsize=1024)
def _slip(name: str) -> str:
    """What is to be said about a name that is nearly one of the fields; empty for any other."""
    near = [] if name in FIELDS else get_close_matches(name, FIELDS, 1, _CLOSE)
    return f"field {name!r} is unknown; did you mean {near[0]!r}? Call it something else if it is your own" if near else ""


def _tasks(row: Row, path: Path, line: int | str) -> tuple[Task, ...]:
    if "tasks" not in row:
        found = tuple(task for task, need in NEEDS.items() if need in row and task is not Task.MIR and _has(row, need))
        if not found:
            problem = f"answers no task; it needs one of {sorted(set(NEEDS.values()))}"
            raise AnnotationError(path, line, problem, Fault.MISSING_FIELD)
        return found
    named = [row["tasks"]] if isinstance(row["tasks"], str) else list(row["tasks"])
    known = {task.value for task in Task}
    if not named or (unknown := [name for name in named if name not in known]):
        raise AnnotationError(
            path, line, f"tasks {unknown if named else named} are none of {sorted(known)}", Fault.UNKNOWN_LABEL
        )
    return tuple(Task(name) for name in dict.fromkeys(named))


def _lines(path: Path) -> Iterator[tuple[int, Row | AnnotationError]]:
    """(line, fields) of the file, missing ones left out.

    Raises:
        AnnotationError: neither ending, or a column of the header that is nearly one of the fields.
    """
    lines = {".jsonl": _jsonl, ".csv": _table, ".tsv": _table}.get(path.suffix.lower())
    if lines is None:
        raise AnnotationError(path, 1, "expected a file that ends in .jsonl, .csv or .tsv")
    yield from lines(path)


def _jsonl(path: Path) -> Iterator[tuple[int, Row | AnnotationError]]:
    for line, text in enumerate(text_of(path, ("utf-8-sig",)).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = _json(text)
        except json.JSONDecodeError as error:
            yield line, AnnotationError(path, line, f"not JSON: {error.msg} at column {error.colno}")
            continue
        except ValueError as error:
            yield line, AnnotationError(path, line, str(error))
            continue
        if isinstance(row, dict):
            yield line, {name: value for name, value in row.items() if value is not None}
        else:
            yield line, AnnotationError(path, line, f"expected an object, found a {type(row).__name__}")


def _table(path: Path) -> Iterator[tuple[int, Row | AnnotationError]]:
    for line, cells in rows_of(path, delimiter="\t" if path.suffix.lower() == ".tsv" else ","):
        if isinstance(cells, AnnotationError):
            yield line, cells
            continue
        for name in cells:
            if slip := _slip(name.strip()):
                raise AnnotationError(path, 1, slip)
        row: dict[str, Any] = {name.strip(): text for name, text in cells.items() if text.strip() or name.strip() == "subtitle"}
        try:
            for name in row.keys() & {"history", "chain"}:
                row[name] = _json(row[name])
            for name in row.keys() & set(_NUMBERS):
                row[name] = float(row[name])
        except ValueError as error:
            yield line, AnnotationError(path, line, f"{name!r}: {error}")
            continue
        for name in row.keys() & {"tasks", "candidates"}:
            row[name] = [part.strip() for part in row[name].split("|") if part.strip()]
        if "words" in row:
            row["words"] = list(words_of(row["words"].replace("|", ",")))
        yield line, row


def _json(text: str) -> Any:
    """The value; `ValueError` also where it is nested too deeply, or has half of a surrogate pair: no file can take that text."""
    try:
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"not valid Unicode: {error.object[error.start]!r} is half of a surrogate pair") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


@dataclass
class _Places:
    """Paths that stay below a folder: names are checked as text, each folder is looked up once."""

    top: Path
    _inside: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._start = str(self.top)

    def inside(self, name: str) -> Path:
        if "://" in name:
            raise MediaError(name, Reason.OUTSIDE_ROOT, "an address; download the file and give its path")
        path = os.path.join(self._start, name)  # noqa: PTH118 - twice a line, and much faster
        parent = os.path.dirname(path)  # noqa: PTH120
        if parent not in self._inside or ".." in name or "\\" in name or os.path.islink(path):  # noqa: PTH114
            resolve_inside(self.top, name)  # raises where it leads out
            self._inside.add(parent)
        return Path(path)
