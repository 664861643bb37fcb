"""Compile the released emotion-wheel files into look-up tables: surface form -> base words -> wheel words -> group.

The scan order is the published one: of all wheel words that a label can mean, the alphabetically first that occurs in
a wheel decides. So `fear` is *happy* in four wheels of the strict edition, because `fear` is listed as a form of
`fearless`; `edition="corrected"` drops such forms (MERTools MER2026 changed the same 17 rows).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from openpyxl import load_workbook

from nano_emox.metrics.parsers import parse_open_set

Edition = Literal["strict", "corrected"]
Groups = tuple[str | None, ...]

WHEELS = ("wheel1", "wheel2", "wheel3", "wheel4", "wheel5")
LEVELS = ("level1", "level2")
FILES = (*(f"{wheel}.xlsx" for wheel in WHEELS), "synonym.xlsx", "format.csv")

_LESS_ROWS = frozenset(
    f"{stem}less"
    for stem in (
        *("aim", "defense", "emotion", "fear", "help", "list", "meaning", "power", "price", "rest", "sense"),
        *("speech", "use", "value", "worth"),
    )
)
_FOREIGN_FORMS = {"embrace": {"embraceless"}, "fearless": {"fearlesses"}, "received": {"receiptless"}}


def compile_wheels(folder: Path, edition: Edition = "strict") -> dict[str, dict[str, Groups]]:
    """Compile a directory in the released format.

    Returns:
        by level, a table from surface form to its group in each of the five wheels (None: not in that wheel). The
        extra levels `case1` and `case2` hold one column: the first base word, and the first wheel word, of a form.

    Raises:
        FileNotFoundError: names the files that the directory lacks.
    """
    if edition not in ("strict", "corrected"):
        raise ValueError(f"edition={edition!r} is none of 'strict', 'corrected'")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder}: no emotion wheels here, {missing} missing; get them, or use 'builtin'")
    direct = wheel_groups(folder)
    bases_of = _read_forms(folder / "format.csv", edition)
    wheel_words_of = _read_synonyms(folder / "synonym.xlsx")

    tables: dict[str, dict[str, Groups]] = {level: {} for level in (*LEVELS, "case1", "case2")}
    for form, bases in bases_of.items():
        candidates = sorted({word for base in bases for word in wheel_words_of.get(base, ())})
        for level in LEVELS:
            tables[level][form] = tuple(
                next((group for word in candidates if (group := column.get(word))), None) for column in direct[level]
            )
        first = min(bases)
        tables["case1"][form] = (first,)
        tables["case2"][form] = (min(wheel_words_of[first]),) if wheel_words_of.get(first) else (None,)
    return tables


def wheel_groups(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Read the five wheels: by level, one table per wheel from wheel word to group; later rows overwrite earlier."""
    groups: dict[str, list[dict[str, str]]] = {level: [] for level in LEVELS}
    for wheel in WHEELS:
        tree = _read_wheel(folder / f"{wheel}.xlsx")
        level1: dict[str, str] = {}
        level2: dict[str, str] = {}
        for inner, middles in tree.items():
            level1[inner] = inner
            level2[inner] = min(middles)  # an inner word stands for the alphabetically first of its block
            for middle, outers in middles.items():
                for word in (middle, *outers):
                    level1[word] = inner
                    level2[word] = middle
        groups["level1"].append(level1)
        groups["level2"].append(level2)
    return groups


def _clean(cell: Any) -> str:
    return str(cell).lower().strip()


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield a sheet's rows by column name; openpyxl's read-only mode, since the sheets hold values only."""
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        names = [str(name) for name in next(rows)]
        for row in rows:
            if any(cell is not None for cell in row):
                yield dict(zip(names, row, strict=False))
    finally:
        book.close()


def _read_wheel(path: Path) -> dict[str, dict[str, list[str]]]:
    """Read inner -> middle -> outer words; an empty cell repeats the one above it."""
    tree: dict[str, dict[str, list[str]]] = {}
    above = {"level1": "", "level2": "", "level3": ""}
    for row in _rows(path):
        above |= {level: _clean(row[level]) for level in above if row.get(level) is not None}
        tree.setdefault(above["level1"], {}).setdefault(above["level2"], []).append(above["level3"])
    return tree


def _read_synonyms(path: Path) -> dict[str, set[str]]:
    """Read base word -> wheel words, the union over the eight runs; a wheel word is its own synonym."""
    wheel_words_of: dict[str, set[str]] = {}
    for row in _rows(path):
        for run in range(1, 9):
            word = _clean(row[f"word_run{run}"])
            for base in (word, *map(_clean, parse_open_set(row[f"synonym_run{run}"]))):
                wheel_words_of.setdefault(base, set()).add(word)
    return wheel_words_of


def _read_forms(path: Path, edition: Edition) -> dict[str, set[str]]:
    """Read surface form -> base words; several bases per form are kept, case and blanks as they are written."""
    bases_of: dict[str, set[str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            base = row["name"]
            for form in (*parse_open_set(row["format"]), base):
                if edition == "strict" or _belongs(form, base):
                    bases_of.setdefault(form, set()).add(base)
    return bases_of


def _belongs(form: str, base: str) -> bool:
    """Tell whether the corrected edition keeps a form: `fear` does not belong to `fearless`."""
    if base in _LESS_ROWS and "less" not in form:
        return False
    return form not in _FOREIGN_FORMS.get(base, ())
