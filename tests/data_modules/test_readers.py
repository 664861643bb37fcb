"""What readers share: word lists, label files that cannot run code, names of what is missing, cards."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_modules.datasets import DATASETS, load_samples
from data_modules.readers.annotation import AnnotationError
from data_modules.readers.corpus_npz import load_labels
from data_modules.readers.tables import words_of


def save_npz(path: Path, **corpora: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: np.array(value, dtype=object) for key, value in corpora.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["[a, b]", "['a', 'b']", '["A", "b"]', "a, b", " a , b , a "])
def test_the_three_spellings_of_word_lists(text: str):
    assert words_of(text) == ("a", "b")


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this must never run",))


def test_a_label_file_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_npz(tmp_path / "label.npz", test_corpus={"a": Payload()})
    with pytest.raises(AnnotationError, match=r"builtins\.print"):
        load_labels(tmp_path / "label.npz")
    assert capsys.readouterr().out == ""


def test_label_files_of_old_numpy_are_read(tmp_path: Path):
    labels = np.array({"a": {"emo": 0, "val": np.float64(1.5)}}, dtype=object)
    with zipfile.ZipFile(tmp_path / "label.npz", "w") as archive, archive.open("test_corpus.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        data = pickle.dumps(labels, protocol=2).replace(b"numpy._core.", b"numpy.core.")  # as numpy 1 wrote it
        assert b"numpy.core.multiarray" in data
        file.write(data)
    assert load_labels(tmp_path / "label.npz") == {"test_corpus": {"a": {"emo": 0, "val": 1.5}}}


def test_what_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"AvaMERG/test\.json is missing; huggingface"):
        load_samples("AvaMERG", tmp_path, "train")
    with pytest.raises(ValueError, match=r"no split 'train'; it has \['test'\]"):
        load_samples("EMER", tmp_path, "train")
    with pytest.raises(KeyError, match="no data set 'MNIST'"):
        load_samples("MNIST", tmp_path, "train")


def test_cards_agree_with_their_readers():
    for name, card in DATASETS.items():
        assert card.name == name
        assert list(card.vocabulary) == sorted(card.vocabulary)
        assert card.licence
        assert card.how_to_obtain
        assert card.citation
    assert (len(DATASETS["MIntRec"].vocabulary), len(DATASETS["MIntRec2.0"].vocabulary)) == (20, 30)
