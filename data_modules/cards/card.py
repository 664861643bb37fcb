"""`DatasetCard`: one data set as a declaration; what its reader does not need to know stands here too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data_modules.readers.annotation import Reader
from data_modules.record import Task

UNIBENCH = "apply for MER-UniBench (AffectGPT, github.com/zeroQiaoba/AffectGPT) and unpack it below MER-UniBench/"
MER_EULA = "sign the EULA at huggingface.co/MERChallenge; no redistribution"
MER_CLIPS = "MER"  # the MER challenges and what was annotated on them; the yearly releases rename some of their clips
THREE = ("train", "validation", "test")
CORPORA = {"train": "train_corpus", "validation": "val_corpus", "test": "test_corpus"}


class DatasetError(ValueError):
    """A data set was asked for something that it does not have: a layout, a split, a subset."""


@dataclass(frozen=True)
class Subset:
    """A split that somebody else has used, in terms of the official ones.

    Attributes:
        splits: the official splits that it is taken from, merged in this order.
        listed_in: a file in the messages schema below the data root; only the ids that it lists. Empty: all.
    """

    splits: tuple[str, ...]
    listed_in: str = ""


@dataclass(frozen=True)
class DatasetCard:
    """One data set.

    Attributes:
        layouts: its readers by layout, in the order in which they are looked for: `original` is the public download,
            `unibench` the processed MER-UniBench form, `released` the JSON files of the authors' code.
        splits: that it has; a layout can have fewer.
        published: number of samples per split, or of `all`, that the release has; a split that is not named is not established.
        quirks: what to beware of, a sentence each.
        subsets: named alternatives to the official splits: name -> split -> `Subset`, e.g. `as_released`.
        clip_names: data sets with the same word here name their clips alike: equal ids are the same clip.
    """

    layouts: Mapping[str, Reader]
    splits: tuple[str, ...]
    published: Mapping[str, int]
    licence: str
    how_to_obtain: str
    citation: str
    quirks: tuple[str, ...] = ()
    clip_names: str = ""
    subsets: Mapping[str, Mapping[str, Subset]] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        """The reader of the first layout, which decides name, tasks and classes."""
        return next(iter(self.layouts.values()))

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.reader.dataset

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What its labels can answer."""
        return self.reader.tasks

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Its classes, sorted; empty where labels are open."""
        return self.reader.vocabulary

    def layout_in(self, root: Path) -> str | None:
        """The first layout that lies below the data root; None where there is none."""
        return next((name for name, reader in self.layouts.items() if any(root.glob(reader.marker))), None)

    def places(self, root: Path) -> list[Path]:
        """Where it is looked for: one path per layout."""
        return list(dict.fromkeys(root / reader.marker for reader in self.layouts.values()))
