"""How annotation files are read: tables with a header, JSON, labels, lists of words. Shared by all readers."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path

from data_modules.readers.annotation import AnnotationError, Fault

_MARKS = {";": "semicolons (;)", "\t": "tabs", ",": "commas"}


def rows_of(
    path: Path, *, delimiter: str = ",", columns: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str] | AnnotationError]]:
    """(line, row) of a table with a header; a byte order mark and CRLF are accepted, empty lines left out.

    In the place of a row that has not as many fields as the header stands the error.

    Raises:
        AnnotationError: the file lacks one of `columns`, or is separated by something else.
        FileNotFoundError: no such file.
    """
    table = cells_of(path, delimiter=delimiter)
    _, header = next(table, (1, []))
    if len(header) == 1 and (other := next((name for mark, name in _MARKS.items() if mark in header[0]), "")):
        raise AnnotationError(path, 1, f"separated by {other}? Use {_MARKS[delimiter]} in a {path.suffix} file")
    if missing := [column for column in columns if column not in header]:
        raise AnnotationError(path, 1, f"no column {missing}; the file has {header}", Fault.MISSING_FIELD)
    for line, cells in table:
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        else:
            yield line, AnnotationError(path, line, f"{len(cells)} fields where the header has {len(header)}")


def cells_of(
    path: Path, *, delimiter: str = ",", encodings: Sequence[str] = ("utf-8-sig", "cp1252")
) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every line that is not empty; the line is the last one of a quoted cell that has several.

    Args:
        encodings: tried in order until the whole file can be read; old tables from Windows have curly quotes in cp1252.

    Raises:
        AnnotationError: none of the encodings.
        FileNotFoundError: no such file.
    """
    file = StringIO(text_of(path, encodings), newline="")
    if delimiter == "\t":
        table = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        table = csv.reader(file, delimiter=delimiter)
    try:
        for cells in table:
            if cells:
                yield table.line_num, cells
    except csv.Error as error:
        raise AnnotationError(path, table.line_num, f"not a table: {error}") from error


def text_of(path: Path, encodings: Sequence[str] = ("utf-8-sig", "cp1252")) -> str:
    """A text file in the first of the encodings that it is in.

    Raises:
        AnnotationError: none of them.
    """
    data = path.read_bytes()
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            where = data.count(b"\n", 0, error.start) + 1
    raise AnnotationError(path, where, f"text in none of the encodings {', '.join(encodings)}; save the file as UTF-8")


def mend(text: str) -> str:
    """Text in which quotes and dashes were decoded in the wrong encoding, as they were meant: `\x92` and `â€™` are `’`."""

    def again(run: re.Match[str]) -> str:
        try:
            return b"".join(map(_windows_byte, run[0])).decode("utf-8")
        except UnicodeError:
            return "".join(_windows_byte(c).decode("cp1252", "ignore") or c if "\x80" <= c <= "\x9f" else c for c in run[0])

    return re.sub(r"[^\x00-\x7f]+", again, text)


def _windows_byte(character: str) -> bytes:
    return bytes([ord(character)]) if "\x80" <= character <= "\x9f" else character.encode("cp1252")


def side_table(path: Path, name: str | Sequence[str], column: str, form: str = "{0}") -> dict[str, str]:
    """Id -> text of a table beside the annotation; a clip whose row is broken has no entry, and is then reported.

    Args:
        name: the column, or columns, of the id.
        form: how they make the id.
    """
    names = [name] if isinstance(name, str) else list(name)
    rows = (row for _, row in rows_of(path, columns=(*names, column)))
    return {
        form.format(*(row[part] for part in names)): row[column].strip() for row in rows if not isinstance(row, AnnotationError)
    }


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
    """A JSON file in UTF-8.

    Raises:
        AnnotationError: with the line where it is broken.
        FileNotFoundError: no such file.
    """
    try:
        return json.loads(text_of(path, ("utf-8-sig",)))
    except json.JSONDecodeError as error:
        raise AnnotationError(path, error.lineno, f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise AnnotationError(path, 1, "nested too deeply; this is no annotation") from error
