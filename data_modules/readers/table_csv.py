"""A table with a row per clip: intents, sentiment scores, MELD, EMER. What stands in which column is declared.

The public tables of one data set differ in the order of their columns and some copies have no header, so a column is found
by its header, and by its position where the file has no such header.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Patterns
from data_modules.readers.tables import cells_of, mend, one_of, rows_of, side_table, split_file, words_of
from data_modules.record import Sample, Task, Turn

NO_SCORE = -10.0  # what the MER releases write where there is none
_FIELDS = ("subtitle", "label", "score", "words", "description", "split")  # roles with a place of their own in a sample


@dataclass(frozen=True)
class Column:
    """Where a value stands in a row.

    Attributes:
        header: its header in any case; several spellings are divided by `|`.
        position: from 0, where the file has no such header; None: then there is none.
        optional: whether a table can be without it.
        parts: a pattern that the whole value has to match; its named groups are values too, and the value itself is not kept.
    """

    header: str
    position: int | None = None
    optional: bool = False
    parts: str = ""

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The headers, lower case."""
        return tuple(word.strip().casefold() for word in self.header.split("|"))


@dataclass(frozen=True)
class Beside:
    """Texts in another table, which may be absent: file below the data root, its column of ids, its column of texts.

    Attributes:
        name: columns that make the id, put together by `format`; `{0}` is the first of them.
    """

    file: str
    name: tuple[str, ...]
    text: str
    format: str = "{0}"


@dataclass(frozen=True)
class TableCsv:
    """One table, or one per split.

    Roles are `subtitle`, `label`, `score`, `words`, `description`, `split`, `speaker`, and any other name. All of them can
    be used in `id`, `video` and `audio`, and those that have no place of their own in a sample go to its `meta`.

    Attributes:
        splits: split -> table below the data root, or `table:pattern` for the rows whose `split` role matches the pattern.
        columns: role -> where it stands.
        id: e.g. `{video}_{clip:0>4}`.
        video: patterns of paths below the data root without extension, e.g. `CH-SIMS/Raw/{video}/{clip:0>4}`.
        audio: the same for sounds.
        words_of_split: split -> further values for the formats, e.g. the folder of its clips.
        rows: split -> table whose column `index` has the numbers of that split's rows, from 0; takes the place of a `split`
            column, so `splits` is then `table:split`.
        beside: role -> further texts; a `subtitle` there takes the place of the
            column's, which then goes to `meta` as `subtitle_in_table`.
        spelling: other forms of labels, lower case -> form in the vocabulary.
        left_out: labels of rows that are not part of the data set in this layout.
        history: whether the earlier rows of the same `dialogue`, by `utterance`, are a clip's history, each with its `speaker`.
        headerless: whether there are copies without a header; a first row with none of the headers is then data.
        mended: whether quotes that were decoded in the wrong encoding are put right, see `tables.mend`.
        where: a file or folder that tells the layout; empty: the first table.
    """

    dataset: str
    splits: Mapping[str, str]
    columns: Mapping[str, Column]
    id: str
    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = (Task.MER,)
    vocabulary: tuple[str, ...] = ()
    spelling: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    score_range: tuple[float, float] | None = None
    words_of_split: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Beside] = field(default_factory=dict)
    history: bool = False
    headerless: bool = False
    mended: bool = False
    delimiter: str = ","
    encodings: tuple[str, ...] = ("utf-8-sig", "cp1252")
    language: str = "en"
    where: str = ""

    @property
    def marker(self) -> str:
        """What tells the layout."""
        return self.where or next(iter(self.splits.values())).partition(":")[0]

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the table. A row that is of no split is reported with the first one."""
        table, _, _ = split_file(self.splits, split, self.dataset).partition(":")
        path = root / table
        media = Patterns(root, self.video, self.audio)
        beside = {role: _texts(root, texts) for role, texts in self.beside.items()}
        first = split == next(name for name, source in self.splits.items() if source.partition(":")[0] == table)
        rows = [(line, row) for line, row in self._rows(root, path) if first or not isinstance(row, AnnotationError)]
        earlier = _Dialogues(row for _, row in rows) if self.history else None

        def sample(line: int | str, row: Mapping[str, str]) -> Sample | None:
            if not self._is_of(split, first, row, path, line) or row.get("label") in self.left_out:
                return None
            values = {**row, "split": split, **self.words_of_split.get(split, {})}
            name = self.id.format(**values)
            texts = {role: table[name] for role, table in beside.items() if name in table}
            kept = {role: value for role, value in row.items() if role not in _FIELDS and value != name}
            label = one_of(row["label"], self.vocabulary, self.spelling, path, line) if "label" in row else None
            description = row.get("description")
            if description == "" and Task.ERI in self.tasks:
                raise AnnotationError(path, line, f"{name!r} has an empty description", Fault.EMPTY_TEXT)
            words = words_of(row["words"]) if "words" in row else None
            if words == () and Task.OV_MER in self.tasks:
                raise AnnotationError(path, line, f"{name!r} has no words", Fault.EMPTY_TEXT)
            if "subtitle" in texts and row.get("subtitle"):
                texts["subtitle_in_table"] = row["subtitle"]
            score = self._score(row.get("score"), path, line)
            return Sample(
                id=name,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=media.media(values),
                language=self.language,
                subtitle=texts.pop("subtitle", row.get("subtitle")),
                label=label,
                candidates=self.vocabulary,
                words=words,
                score=score,
                score_range=self.score_range if score is not None else None,
                description=description,
                history=earlier.before(row) if earlier is not None else (),
                meta={**kept, **texts},
            )

        yield from entries_as_samples(rows, sample, path)

    def _is_of(self, split: str, first: bool, row: Mapping[str, str], path: Path, line: int | str) -> bool:
        if "split" not in row:
            return True
        for name, source in self.splits.items():
            if re.fullmatch(source.partition(":")[2], row["split"].casefold()):
                return name == split
        if first:
            problem = f"split {row['split']!r} is none of {[source.partition(':')[2] for source in self.splits.values()]}"
            raise AnnotationError(path, line, problem, Fault.NO_SPLIT)
        return False

    def _rows(self, root: Path, path: Path) -> Iterator[tuple[int | str, dict[str, str] | AnnotationError]]:
        table = cells_of(path, delimiter=self.delimiter, encodings=self.encodings)
        top = next(table, None)
        if top is None:
            raise AnnotationError(path, 1, "the file is empty")
        places, has_header = self._places(path, top[1])
        needed = 1 + max(index for role, index in places.items() if not self.columns[role].optional)
        most = len(top[1]) if has_header and self.delimiter == "," else None  # an unquoted comma in a text
        chosen = self._split_of_row(root)
        number = -1
        for number, (line, cells) in enumerate(table if has_header else chain([top], table)):
            if len(cells) < needed or (most is not None and len(cells) > most):
                problem = f"{len(cells)} columns where {self.dataset} has {most or f'at least {needed}'}"
                yield line, AnnotationError(path, line, problem)
                continue
            row = {"split": chosen.get(number, "")} if self.rows else {}
            fault = None
            for role, index in places.items():
                value = cells[index].strip() if index < len(cells) else ""
                value = mend(value) if self.mended else value
                if pattern := self.columns[role].parts:
                    match = re.fullmatch(pattern, value)
                    row.update(match.groupdict() if match else {})
                    fault = fault if match else AnnotationError(path, line, f"{role} {value!r} is not of the form {pattern}")
                else:
                    row[role] = value
            yield line, fault or row
        for beyond in sorted(index for index in chosen if index > number):
            problem = f"split {chosen[beyond]!r} has a row {beyond}, counted from 0; the table ends at {number}"
            yield f"row {beyond}", AnnotationError(path, f"row {beyond}", problem, Fault.NO_ROW)

    def _split_of_row(self, root: Path) -> dict[int, str]:
        chosen: dict[int, str] = {}
        for split, file in self.rows.items():
            for line, row in rows_of(root / file, columns=("index",)):
                if isinstance(row, AnnotationError):
                    raise row
                if not row["index"].strip().isdecimal():
                    raise AnnotationError(root / file, line, f"index {row['index']!r} is not the number of a row")
                chosen[int(row["index"])] = split
        return chosen

    def _places(self, path: Path, first: Sequence[str]) -> tuple[dict[str, int], bool]:
        """Role -> position, and whether the first row is a header."""
        header = [cell.strip().casefold() for cell in first]
        named = {
            role: header.index(word)
            for role, column in self.columns.items()
            for word in reversed(column.spellings)
            if word in header
        }
        has_header = bool(named) or not self.headerless
        places, missing = {}, []
        for role, column in self.columns.items():
            if role in named:
                places[role] = named[role]
            elif column.position is not None and column.position not in named.values() and column.position < len(header):
                places[role] = column.position
            elif not column.optional:
                missing.append(column.header)
        if missing:
            raise AnnotationError(path, 1, f"no column {missing}; the file has {list(first)}", Fault.MISSING_FIELD)
        return places, has_header

    def _score(self, text: str | None, path: Path, line: int | str) -> float | None:
        if text is None:
            return None
        try:
            score = float(text) if text else NO_SCORE
        except ValueError:
            raise AnnotationError(path, line, f"score {text!r} is not a number") from None
        if score == NO_SCORE:
            if Task.MSA in self.tasks:
                raise AnnotationError(path, line, f"no score ({text!r})", Fault.NO_SCORE)
            return None
        if self.score_range and not self.score_range[0] <= score <= self.score_range[1]:
            raise AnnotationError(path, line, f"score {score} is outside {self.score_range}", Fault.OUT_OF_RANGE)
        return score


class _Dialogues:
    """What was said before each row of its dialogue."""

    def __init__(self, rows: Iterable[dict[str, str] | AnnotationError]) -> None:
        said: dict[str, list[tuple[int, Turn]]] = defaultdict(list)
        for row in rows:
            if not isinstance(row, AnnotationError) and row["utterance"].isdigit():
                turn = Turn(row.get("speaker") or "speaker", row["subtitle"])
                said[row["dialogue"]].append((int(row["utterance"]), turn))
        self.said = {dialogue: sorted(turns, key=lambda turn: turn[0]) for dialogue, turns in said.items()}

    def before(self, row: Mapping[str, str]) -> tuple[Turn, ...]:
        return tuple(turn for number, turn in self.said[row["dialogue"]] if number < int(row["utterance"]))


def _texts(root: Path, table: Beside) -> dict[str, str]:
    path = root / table.file
    return side_table(path, table.name, table.text, table.format) if path.exists() else {}
