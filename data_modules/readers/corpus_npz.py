"""The eight benchmarks of MER-UniBench: labels in an npz of pickled dictionaries, subtitles in a csv.

The files come from file-sharing sites and a pickle can run code, so they are unpickled by a whitelist: dictionaries,
texts, numbers and numpy scalars, and nothing else.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import one_of, side_table, split_file
from data_modules.record import Sample, Task

NO_SCORE = -10
_NUMPY = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Whitelist(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NUMPY:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which label files have no need of; do not use this file")


def load_labels(path: Path) -> dict[str, dict[str, Any]]:
    """`{key: {name: {"emo": ..., "val": ...}}}` of a label file.

    Raises:
        AnnotationError: not such a file, or a pickle that asks for anything but plain data.
    """
    labels = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    labels[member.removesuffix(".npy")] = _load_object(file)
    except (zipfile.BadZipFile, pickle.UnpicklingError, ValueError, EOFError) as error:
        raise AnnotationError(path, "npz", str(error)) from error
    return labels


def _load_object(file: IO[bytes]) -> Any:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if shape != () or not dtype.hasobject:
        raise ValueError(f"expected a single pickled dictionary, found an array of shape {shape}, {dtype}")
    array = _Whitelist(file).load()
    value = array.item() if isinstance(array, np.ndarray) else array
    if not isinstance(value, dict):
        raise ValueError(f"expected a dictionary of name -> label, found a {type(value).__name__}")
    return value


@dataclass(frozen=True)
class CorpusNpz:
    """One benchmark of MER-UniBench.

    Attributes:
        splits: split -> key in the npz, or `key:pattern` for the names that match a pattern (IEMOCAP's session 5).
        classes: words of the integer labels, in the order of the indices; empty where labels are words already.
        score_range: of `val`, which is -10 where there is no score.
    """

    dataset: str
    marker: str
    splits: Mapping[str, str]
    tasks: tuple[Task, ...]
    vocabulary: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    score_range: tuple[float, float] | None = None
    labels: str = "label.npz"
    subtitles: str = "transcription-engchi-polish.csv"
    subtitle_column: str = "english"
    video: tuple[str, ...] = ("video",)
    audio: tuple[str, ...] = ("audio",)
    language: str = "en"

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the label file."""
        top = root / self.marker
        key, _, pattern = split_file(self.splits, split, self.dataset).partition(":")
        path = top / self.labels
        corpora = load_labels(path)
        if key not in corpora:
            raise AnnotationError(path, key, f"no such key; the file has {sorted(corpora)}")
        table = top / self.subtitles
        spoken = side_table(table, "name", self.subtitle_column)
        lookup = Lookup(top, self.video, self.audio)

        def sample(name: int | str, entry: Mapping[str, Any]) -> Sample | None:
            name = str(name)
            if pattern and not re.match(pattern, name):
                return None
            if name not in spoken:
                raise AnnotationError(table, name, "no subtitle row for this clip; an empty one is enough", Fault.NO_SUBTITLE)
            score = None if entry["val"] == NO_SCORE else float(entry["val"])
            if Task.MSA in self.tasks and score is None:
                raise AnnotationError(path, f"{key}/{name}", f"no score (val = {NO_SCORE})", Fault.NO_SCORE)
            if score is not None and self.score_range and not self.score_range[0] <= score <= self.score_range[1]:
                problem = f"score {score} is outside {self.score_range}"
                raise AnnotationError(path, f"{key}/{name}", problem, Fault.OUT_OF_RANGE)
            return Sample(
                id=name,
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(name),
                language=self.language,
                subtitle=spoken[name],
                label=self._label(entry["emo"], path, f"{key}/{name}") if self.vocabulary else None,
                candidates=self.vocabulary,
                score=score,
                score_range=self.score_range if score is not None else None,
            )

        yield from entries_as_samples(corpora[key].items(), sample, path)

    def _label(self, emo: Any, path: Path, place: str) -> str:
        if not self.classes:
            return one_of(str(emo), self.vocabulary, {}, path, place)
        if not 0 <= int(emo) < len(self.classes):
            problem = f"class {emo}; there are {len(self.classes)}: {list(self.classes)}"
            raise AnnotationError(path, place, problem, Fault.UNKNOWN_LABEL)
        return self.classes[int(emo)]
