"""How annotation files are read: tables with a header, JSON, labels, lists of words. Shared by all readers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault


def rows_of(
    path: Path, *, delimiter: str = ",", columns: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str] | AnnotationError]]:
    """(line, row) of a table with a header; a byte order mark and CRLF are accepted.

    In the place of a row that has not as many fields as the header stands the error.

    Raises:
        AnnotationError: the file lacks one of `columns`.
        FileNotFoundError: no such file.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL)
        header = table.fieldnames or []
        if missing := [column for column in columns if column not in header]:
            raise AnnotationError(path, 1, f"no column {missing}; the file has {list(header)}", Fault.MISSING_FIELD)
        for row in table:
            if None in row or None in row.values():
                problem = f"{_width(row)} fields where the header has {len(header)}"
                yield table.line_num, AnnotationError(path, table.line_num, problem)
            else:
                yield table.line_num, row


def side_table(path: Path, name: str, column: str) -> dict[str, str]:
    """Name -> text of a table beside the annotation; a clip whose row is broken has no entry, and is then reported."""
    rows = (row for _, row in rows_of(path, columns=(name, column)))
    return {row[name]: row[column].strip() for row in rows if not isinstance(row, AnnotationError)}


def _width(row: Mapping[Any, Any]) -> int:
    return sum(value is not None for key, value in row.items() if key is not None) + len(row.get(None) or [])


def one_of(label: str, vocabulary: Sequence[str], spelling: Mapping[str, str], path: Path, place: int | str) -> str:
    """The data set's spelling of a label, found without regard to case; `spelling` maps other forms (lower case) first.

    Raises:
        AnnotationError: the label is none of the vocabulary.
    """
    wanted = spelling.get(label.strip().casefold(), label.strip()).casefold()
    for word in vocabulary:
        if word.casefold() == wanted:
            return word
    raise AnnotationError(path, place, f"label {label!r} is none of {list(vocabulary)}", Fault.UNKNOWN_LABEL)


def split_file(files: Mapping[str, str], split: str, dataset: str) -> str:
    """The value of a split in a declaration.

    Raises:
        ValueError: the data set has no such split.
    """
    if split not in files:
        raise ValueError(f"{dataset} has no split {split!r}; there are {sorted(files)}")
    return files[split]


def words_of(text: str) -> tuple[str, ...]:
    """Open-set words from `[a, b]`, `['a', 'b']` or `a, b`: the releases use all three."""
    parts = (part.strip().strip("\"'").strip().lower() for part in text.strip().strip("[]").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def load_json(path: Path) -> object:
    """A JSON file, with the line in the error where it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise AnnotationError(path, error.lineno, f"not JSON: {error.msg}") from error
