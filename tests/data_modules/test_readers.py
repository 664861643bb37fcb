"""Each data set, read from a miniature of its real layout (annotation facts as published)."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_modules.datasets import DATASETS, load_samples
from data_modules.readers.annotation import AnnotationError, Fault
from data_modules.readers.corpus_npz import load_labels
from data_modules.readers.tables import words_of
from data_modules.record import Sample


def write(path: Path, text: str = "", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def save_npz(path: Path, **corpora: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: np.array(value, dtype=object) for key, value in corpora.items()})  # type: ignore[arg-type]


def crema_d(root: Path) -> None:
    for name in ("1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1040_ITH_SAD_X", "1009_TIE_NEU_XX"):
        write(root / f"CREMA-D/AudioWAV/{name}.wav")


def m3ed(root: Path) -> None:
    annotation: dict[str, Any] = {}
    for series, emotions in (("serA", ("Happy", "Anger")), ("serB", ("Sad",))):
        dialog = {
            f"{series}_1_{n}": {
                "Text": "你好", "Speaker": "AB"[n % 2], "StartTime": "00:00:01:05", "EndTime": "00:00:02:00",
                "EmoAnnotation": {"final_main_emo": emotion, "final_mul_emo": f"{emotion},Surprise"},
            }
            for n, emotion in enumerate(emotions)
        }  # fmt: skip
        annotation[series] = {f"{series}_1": {"SpeakerInfo": {}, "Dialog": dialog}}
    write(root / "M3ED/annotation.json", json.dumps(annotation))
    write(root / "M3ED/splitInfo/movie_list_train.txt", "serA\n")
    write(root / "M3ED/splitInfo/movie_list_val.txt", "")
    write(root / "M3ED/splitInfo/movie_list_test.txt", "serB\n")


def caer(root: Path) -> None:
    for split in ("train", "validation", "test"):
        for folder in ("Anger", "Happy"):
            write(root / f"CAER/{split}/{folder}/0001.avi")
    write(root / "CAER/train/Anger/._0001.avi")  # left by macOS


def ferv39k(root: Path) -> None:
    write(root / "FERV39k/0_7_LabelClips/Action/Sad/0010.mp4")
    write(root / "FERV39k/2_ClipsforFaceCrop/War/Angry/0010/1.jpg")
    write(root / "FERV39k/4_setups/All_scenes/train_All.csv", "path label\r\nAction/Sad/0010 Sad\r\nWar/Angry/0010 Angry\r\n")
    write(root / "FERV39k/4_setups/All_scenes/test_All.csv", "War/Happy/0001 Happy\n")


def mer2023(root: Path) -> None:
    here = root / "MER-UniBench/mer2023-dataset-process"
    test = {"sample_00000001": {"emo": "worried", "val": -10}, "sample_00000002": {"emo": "happy", "val": 2.5}}
    save_npz(here / "label-6way.npz", train_corpus={}, test1_corpus=test)
    write(here / "transcription-engchi-polish.csv", "name,chinese,english\nsample_00000001,好,Well\nsample_00000002,,\n")
    write(here / "video/sample_00000001.avi")


def iemocap(root: Path) -> None:
    here = root / "MER-UniBench/iemocap-process"
    whole = {"Ses01F_impro01_F000": {"emo": 3, "val": -10}, "Ses05M_impro01_M000": {"emo": 0, "val": -10}}
    save_npz(here / "label_4way.npz", whole_corpus=whole)
    write(here / "transcription-engchi-polish.csv", "name,chinese,english\n" + "".join(f"{n},,Hi\n" for n in whole))


# data set, what writes it, {split: ids}
LAYOUTS: list[tuple[str, Callable[[Path], None], dict[str, list[str]]]] = [
    ("CREMA-D", crema_d, {"train": ["1001_DFA_ANG_XX", "1002_IEO_HAP_HI"], "validation": ["1009_TIE_NEU_XX"], "test": ["1040_ITH_SAD_X"]}),
    ("M3ED", m3ed, {"train": ["serA_1_0", "serA_1_1"], "validation": [], "test": ["serB_1_0"]}),
    ("CAER", caer, {s: [f"{s}/Anger/0001", f"{s}/Happy/0001"] for s in ("train", "validation", "test")}),
    ("FERV39k", ferv39k, {"train": ["Action/Sad/0010", "War/Angry/0010"], "test": ["War/Happy/0001"]}),
    ("MER2023", mer2023, {"train": [], "test": ["sample_00000001", "sample_00000002"]}),
    ("IEMOCAP", iemocap, {"train": ["Ses01F_impro01_F000"], "test": ["Ses05M_impro01_M000"]}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layout", "expected"), LAYOUTS, ids=[row[0] for row in LAYOUTS])
def test_each_layout_is_read(tmp_path: Path, name: str, layout: Callable[[Path], None], expected: dict[str, list[str]]):
    layout(tmp_path)
    card = DATASETS[name]
    assert set(expected) == set(card.splits)
    for split, ids in expected.items():
        samples = load_samples(name, tmp_path, split)
        assert [sample.id for sample in samples] == ids
        for sample in samples:
            assert (sample.dataset, sample.split) == (name, split)
            assert set(sample.tasks) <= set(card.tasks)
            assert list(sample.candidates) == sorted(sample.candidates)
            json.dumps(dict(sample.meta))
    assert len(load_samples(name, tmp_path, "all")) == len({i for ids in expected.values() for i in ids})


def first(name: str, root: Path, split: str, place: int = 0) -> Sample:
    return load_samples(name, root, split)[place]


def test_labels_are_spelt_in_one_way(tmp_path: Path):
    for layout in (crema_d, m3ed, caer, ferv39k, iemocap):
        layout(tmp_path)
    assert first("CREMA-D", tmp_path, "train").label == "anger"
    assert first("M3ED", tmp_path, "train", 1).label == "anger"
    assert first("CAER", tmp_path, "train").label == "anger"
    assert first("FERV39k", tmp_path, "train", 1).label == "anger"
    assert first("IEMOCAP", tmp_path, "train").label == "anger"  # class 3


def test_scores_and_the_sentinel(tmp_path: Path):
    mer2023(tmp_path)
    assert (first("MER2023", tmp_path, "test").score, first("MER2023", tmp_path, "test", 1).score) == (None, 2.5)


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


BROKEN: list[tuple[str, Callable[[Path], None], str, str, str]] = [
    ("FERV39k", ferv39k, "FERV39k/4_setups/All_scenes/train_All.csv", "War/Sad/1 Sad\nWar/Sad/1 Sad\n", "again"),
    ("FERV39k", ferv39k, "FERV39k/4_setups/All_scenes/train_All.csv", "War/Sad/1\n", r"train_All\.csv:1: expected"),
    ("M3ED", m3ed, "M3ED/splitInfo/movie_list_train.txt", "serA\nserX\n", r"movie_list_train\.txt:2: series 'serX'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layout", "file", "content", "message"), BROKEN)
def test_errors_name_file_and_line(
    tmp_path: Path, name: str, layout: Callable[[Path], None], file: str, content: str, message: str
):
    layout(tmp_path)
    write(tmp_path / file, content)
    with pytest.raises(AnnotationError, match=message):
        load_samples(name, tmp_path, "train")


def test_annotations_cannot_point_out_of_the_root(tmp_path: Path):
    ferv39k(tmp_path)
    write(tmp_path / "FERV39k/4_setups/All_scenes/train_All.csv", "../../etc/passwd Sad\n")
    with pytest.raises(AnnotationError, match="leads out of") as caught:
        load_samples("FERV39k", tmp_path, "train")
    assert caught.value.fault is Fault.OUTSIDE_ROOT


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
