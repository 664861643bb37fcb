"""What an annotation lists: samples, and entries that cannot be used, each with its reason. Nothing is lost in between.

A reader is a generator that yields a `Sample` for every entry, or the `AnnotationError` that says what is wrong with it.
Whether a bad entry stops everything or is counted is decided by who asks (`data_modules.datasets.read_annotation`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from data_modules.containers import MediaError
from data_modules.record import Sample, Task

Entry = TypeVar("Entry")


class Fault(StrEnum):
    """Why an entry of an annotation cannot be used."""

    MALFORMED = "malformed"  # not a row or object of the expected form
    MISSING_FIELD = "missing_field"
    UNKNOWN_LABEL = "unknown_label"
    EMPTY_TEXT = "empty_text"  # a description or a dialogue without words; an empty subtitle is allowed
    NO_SCORE = "no_score"
    OUT_OF_RANGE = "out_of_range"
    NO_SUBTITLE = "no_subtitle"  # the clip has no row in the table of subtitles
    DUPLICATE_ID = "duplicate_id"
    OUTSIDE_ROOT = "outside_root"  # a path that leads out of the data root
    NO_SPLIT = "no_split"  # the annotation puts it in none of the splits
    NO_ROW = "no_row"  # a list of the split names it, and the annotation has no such entry
    NO_LABELS = "no_labels"  # published without labels, e.g. a challenge's test set


class AnnotationError(ValueError):
    """An annotation that cannot be used: which file, where in it, what was expected."""

    def __init__(self, path: Path, place: int | str, problem: str, fault: Fault = Fault.MALFORMED) -> None:
        super().__init__(f"{path}:{place}: {problem}")
        self.path, self.place, self.problem, self.fault = path, place, problem, fault

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.place, self.problem, self.fault)


class Reader(Protocol):
    """What reads one data set from one of its layouts."""

    @property
    def dataset(self) -> str:
        """Name of the data set."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What its labels can answer."""

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Its classes, sorted; empty where they are open."""

    @property
    def splits(self) -> Collection[str]:
        """The splits that this layout has."""

    @property
    def marker(self) -> str:
        """A file or folder below the data root by which the presence of this layout is known; `*` as in `Path.glob`."""

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """The entries of one split, in the order of the annotation.

        Raises:
            AnnotationError: the file as a whole is not of this layout.
            FileNotFoundError: an annotation file is missing.
            ValueError: there is no such split.
        """


@dataclass
class Annotation:
    """All that a split lists: `listed` is samples and rejected entries together."""

    samples: list[Sample] = field(default_factory=list)
    rejected: list[AnnotationError] = field(default_factory=list)

    @property
    def listed(self) -> int:
        """Number of entries."""
        return len(self.samples) + len(self.rejected)

    @property
    def faults(self) -> Counter[str]:
        """How many entries were rejected, by reason."""
        return Counter(error.fault.value for error in self.rejected)


def entries_as_samples(
    entries: Iterable[tuple[int | str, Entry | AnnotationError]],
    build: Callable[[int | str, Entry], Sample | None],
    path: Path,
) -> Iterator[Sample | AnnotationError]:
    """Build a sample from every entry of an annotation file, one by one.

    Args:
        entries: (place, entry): the line, or another name of the place in the file; an entry can be an error already.
        build: to a sample, or None for an entry that belongs to another split.
        path: of the file, for the messages.

    Yields:
        The samples; in the place of one that cannot be built, or whose id was there before, the error.
    """
    seen: dict[str, int | str] = {}
    for place, entry in entries:
        if isinstance(entry, AnnotationError):
            yield entry
            continue
        try:
            sample = build(place, entry)
        except AnnotationError as error:
            yield error
            continue
        except MediaError as error:
            yield AnnotationError(path, place, f"{error.path}: {error.hint}", Fault.OUTSIDE_ROOT)
            continue
        except KeyError as error:
            yield AnnotationError(path, place, f"no field {error}", Fault.MISSING_FIELD)
            continue
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            yield AnnotationError(path, place, f"not of the expected form: {error}", Fault.MALFORMED)
            continue
        if sample is None:
            continue
        if sample.id in seen:
            problem = f"id {sample.id!r} again; first at {seen[sample.id]}"
            yield AnnotationError(path, place, problem, Fault.DUPLICATE_ID)
            continue
        seen[sample.id] = place
        yield sample
