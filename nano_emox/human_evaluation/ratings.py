"""Filled forms, read as hostile until checked: they come back by mail, and decide what a paper claims."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nano_emox.human_evaluation.study import DIMENSIONS, FORMAT, LIKERT, study_id

_LARGEST = 16 << 20  # bytes of a file of ratings or a key
_FIELDS = ("format", "study", "rater", "complete", "ratings")

Ratings = Mapping[tuple[str, str], Mapping[str, int]]
"""(dialogue, system) -> dimension -> 1 to 5; unfinished forms lack some."""


@dataclass(frozen=True, slots=True)
class Key:
    """The opened key of a study."""

    study: str
    systems: tuple[str, ...]
    letters: Mapping[int, Mapping[str, Mapping[str, str]]]  # rater -> dialogue -> letter -> system


def read_key(directory: Path) -> Key:
    """Read `key.json` of a study.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no key of this version.
    """
    path = directory / "key.json"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; `nano-emox human-eval make` writes it, and only it tells the systems apart")
    content = _read(path)
    record = _json(content, path)
    try:
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']!r}, not {FORMAT}")
        letters = {int(rater): by_dialogue for rater, by_dialogue in record["letters"].items()}
        return Key(study_id(content), tuple(record["systems"]), letters)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: no key of this version ({error})") from error


def read_ratings(paths: Sequence[Path], key: Key) -> dict[int, Ratings]:
    """Read and open filled forms, by rater.

    Raises:
        ValueError: names file and dialogue of whatever is not as the form writes it: another study, a rater given twice, an
            unknown dialogue or letter, a rating that is none of 1 to 5.
    """
    ratings: dict[int, Ratings] = {}
    sources: dict[int, Path] = {}
    for path in paths:
        record = _json(_read(path), path)
        if not isinstance(record, dict) or sorted(record) != sorted(_FIELDS) or record["format"] != FORMAT:
            raise ValueError(f"{path}: not what the form's 'Download ratings' writes")
        if record["study"] != key.study:
            raise ValueError(
                f"{path}: belongs to study {str(record['study'])[:40]!r}, but the key seals study {key.study!r}: this is another"
                " study's file, or the key was changed after the forms were made"
            )
        rater = record["rater"]
        if type(rater) is not int or rater not in key.letters:
            raise ValueError(f"{path}: there is no rater {str(rater)[:40]!r} in this study, only 1 to {len(key.letters)}")
        if rater in ratings:
            raise ValueError(f"{path}: rater {rater} is already in {sources[rater]}")
        ratings[rater] = _opened(record["ratings"], key.letters[rater], path)
        sources[rater] = path
    if not ratings:
        raise ValueError("no ratings were given")
    return ratings


def _opened(given: Any, letters: Mapping[str, Mapping[str, str]], path: Path) -> Ratings:
    opened: dict[tuple[str, str], dict[str, int]] = {}
    names = {dimension.name for dimension in DIMENSIONS}
    for dialogue, replies in _items(given, letters, f"{path}: dialogue"):
        for letter, scales in _items(replies, letters[dialogue], f"{path}: {dialogue}, reply"):
            for name, value in _items(scales, names, f"{path}: {dialogue}, reply {letter}, scale"):
                if type(value) is not int or value not in LIKERT:
                    raise ValueError(f"{path}: {dialogue}, reply {letter}: {name} is {str(value)[:40]!r}, not one of 1 to 5")
                opened.setdefault((dialogue, letters[dialogue][letter]), {})[name] = value
    return opened


def _items(value: Any, known: Mapping[str, Any] | set[str], what: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError(f"{what}: ratings by name are expected, {str(value)[:40]!r} stands in their place")
    for name in value:
        if name not in known:
            raise ValueError(f"{what} {name[:40]!r} was not on this rater's form")
    return list(value.items())


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, more than any form writes ({_LARGEST})")
    return path.read_bytes()


def _json(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content, object_pairs_hook=lambda pairs: _unique(pairs, path))
    except (RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: no JSON ({error}); ask the rater to download the file again") from error


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError(f"{path}: a name occurs twice in one object; the form never writes that")
    return record
