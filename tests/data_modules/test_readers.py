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
from data_modules.readers.dialog_json import held_out
from data_modules.readers.tables import words_of
from data_modules.record import Sample, Task


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


def mintrec(root: Path) -> None:
    header = "season\tepisode\tclip\ttext\tlabel\n"
    write(root / "MIntRec/train.tsv", f'{header}S05\tE16\t329\tcan you "help me\tAsk for help\nS05\tE16\t330\tthanks\tThank\n')
    write(root / "MIntRec/dev.tsv", f"{header}S06\tE01\t1\thello\tGreet\n", encoding="utf-8-sig")
    write(root / "MIntRec/test.tsv", header)
    write(root / "MIntRec/raw_data/S05/E16/329.mp4")
    write(root / "MIntRec/video/S05_E16_330.mp4")
    write(root / "MIntRec/audio/S05_E16_330.wav")


def mintrec2(root: Path) -> None:
    lines = ["d\tu\ttext\tlabel\ta\tb\tc\tspeaker", "1059\t12\thi\tGreet\t-\t-\t-\tPenny", "2\t0\tuh\tUNK\t-\t-\t-\tAmy"]
    for name in ("train", "dev", "test"):
        write(root / f"MIntRec2.0/in-scope/{name}.tsv", "\n".join(lines))
    write(root / "MIntRec2.0/in-scope/raw_data/dia1059_utt12.mp4")


def mer2025(root: Path) -> None:
    here = root / "MER2025"
    write(here / "track2_train_mercaptionplus.csv", 'name,openset\nsample_1,"[concern, pessimism]"\nsamplenew3_2,[]\n')
    write(here / "track3_train_mercaptionplus.csv", 'name,reason\nsample_1,"A voice, trembling."\nsamplenew4_3,She smiles.\n')
    write(here / "track2_train_ovmerd.csv", "name,openset\nsample_9,\"['excited', 'joyful']\"\n")
    write(here / "subtitle_chieng.csv", "name,chinese,english\nsample_1,你好,Hello\nsamplenew3_2,好,\nsample_9,好,Good\n")
    write(here / "video/video/sample_1.mp4")
    write(here / "audio/audio/sample_1.wav")
    write(here / "video/samplenew4_3.mp4")


def merr(root: Path) -> None:
    entry = {
        "AU_list": ["AU12"],
        "peak_AU_list": [],
        "pseu_emotion": "happy",
        "text": "Yes",
        "smp_reason_caption": "They smile.",
    }
    write(root / "MERR/MERR_fine_grained.json", json.dumps({"sample_1": entry, "samplenew_2": entry}))
    write(root / "MER2023/test3/sample_1.avi")
    write(root / "MER2023/audio/samplenew_2.wav")


def turn(number: int, emotion: str) -> dict[str, Any]:
    roles = ("speaker", "listener")
    history = [{"index": i, "role": roles[i % 2], "utterance": f"line {i}"} for i in range(2 * number + 1)]
    chain = {"speaker_emotion": emotion, "event_scenario": "exam", "emotion_cause": "failing", "goal_to_response": "comfort"}
    return {
        "turn_id": str(number),
        "context": "an exam",
        "dialogue_history": history,
        "response": "I see.",
        "chain_of_empathy": chain,
    }


def dialogue(conversation: str, numbers: range, emotion: str = "Anxious") -> dict[str, Any]:
    return {
        "conversation_id": conversation, "topic": "school", "speaker_profile": {"ID": 16}, "listener_profile": {"ID": 3},
        "turns": [turn(n, emotion) for n in numbers],
    }  # fmt: skip


def avamerg(root: Path) -> None:
    train = [dialogue("00001", range(2)), dialogue("01118", range(1, 3), "conflicted")]
    write(root / "AvaMERG/train.json", json.dumps(train))
    write(root / "AvaMERG/valid.json", json.dumps([dialogue("00007", range(1))]))
    for name in ("dia00001utt0_16", "dia00001utt1_3", "dia00001utt2_16"):
        write(root / f"AvaMERG/video_v5_0/{name}.mp4")
    write(root / "AvaMERG/audio_v5_0/dia00001utt2_16.wav")
    write(root / "AvaMERG/video_v5_0/dia1118utt3.mp4")  # as the original baseline renames it


def mer2023(root: Path) -> None:
    here = root / "MER-UniBench/mer2023-dataset-process"
    test = {"sample_00000001": {"emo": "worried", "val": -10}, "sample_00000002": {"emo": "happy", "val": 2.5}}
    save_npz(here / "label-6way.npz", train_corpus={}, test1_corpus=test)
    write(here / "transcription-engchi-polish.csv", "name,chinese,english\nsample_00000001,好,Well\nsample_00000002,,\n")
    write(here / "video/sample_00000001.avi")


def mosi(root: Path) -> None:
    here = root / "MER-UniBench/cmumosi-process"
    test = {"a_b-c_1": {"emo": 0, "val": np.float64(-1.8)}, "d_2": {"emo": 0, "val": np.float32(0.0)}}
    save_npz(here / "label.npz", train_corpus={}, val_corpus={}, test_corpus=test)
    write(here / "transcription-engchi-polish.csv", "name,chinese,english\na_b-c_1,,NOT GOOD\nd_2,,IT IS\n")


def iemocap(root: Path) -> None:
    here = root / "MER-UniBench/iemocap-process"
    whole = {"Ses01F_impro01_F000": {"emo": 3, "val": -10}, "Ses05M_impro01_M000": {"emo": 0, "val": -10}}
    save_npz(here / "label_4way.npz", whole_corpus=whole)
    write(here / "transcription-engchi-polish.csv", "name,chinese,english\n" + "".join(f"{n},,Hi\n" for n in whole))


def emer(root: Path) -> None:
    write(root / "EMER/gt-eng.csv", 'names,emotions,subtitles,reasons\nsample_5,worried,,"His brow, furrowed."\n')
    write(root / "MER2023/train/sample_5.avi")


# data set, what writes it, {split: ids}
LAYOUTS: list[tuple[str, Callable[[Path], None], dict[str, list[str]]]] = [
    ("CREMA-D", crema_d, {"train": ["1001_DFA_ANG_XX", "1002_IEO_HAP_HI"], "validation": ["1009_TIE_NEU_XX"], "test": ["1040_ITH_SAD_X"]}),
    ("M3ED", m3ed, {"train": ["serA_1_0", "serA_1_1"], "validation": [], "test": ["serB_1_0"]}),
    ("CAER", caer, {s: [f"{s}/Anger/0001", f"{s}/Happy/0001"] for s in ("train", "validation", "test")}),
    ("FERV39k", ferv39k, {"train": ["Action/Sad/0010", "War/Angry/0010"], "test": ["War/Happy/0001"]}),
    ("MIntRec", mintrec, {"train": ["S05_E16_329", "S05_E16_330"], "validation": ["S06_E01_1"], "test": []}),
    ("MIntRec2.0", mintrec2, {s: ["dia1059_utt12"] for s in ("train", "validation", "test")}),
    ("MER-Caption+", mer2025, {"train": ["sample_1", "samplenew3_2", "samplenew4_3"]}),
    ("OV-MERD", mer2025, {"test": ["sample_9"]}),
    ("MERR-Fine", merr, {"train": ["sample_1", "samplenew_2"]}),
    ("AvaMERG", avamerg, {
        "train": ["dia00001utt0", "dia00001utt2", "dia01118utt2", "dia01118utt4"],
        "validation": ["dia00007utt0"], "test": ["dia00007utt0"],
    }),
    ("MER2023", mer2023, {"train": [], "test": ["sample_00000001", "sample_00000002"]}),
    ("CMU-MOSI", mosi, {"train": [], "validation": [], "test": ["a_b-c_1", "d_2"]}),
    ("IEMOCAP", iemocap, {"train": ["Ses01F_impro01_F000"], "test": ["Ses05M_impro01_M000"]}),
    ("EMER", emer, {"test": ["sample_5"]}),
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
    for layout in (crema_d, m3ed, caer, ferv39k, mintrec, iemocap):
        layout(tmp_path)
    assert first("CREMA-D", tmp_path, "train").label == "anger"
    assert first("M3ED", tmp_path, "train", 1).label == "anger"
    assert first("CAER", tmp_path, "train").label == "anger"
    assert first("FERV39k", tmp_path, "train", 1).label == "anger"
    assert first("MIntRec", tmp_path, "train").label == "Ask for help"
    assert first("IEMOCAP", tmp_path, "train").label == "anger"  # class 3


def test_fields_of_the_open_sets(tmp_path: Path):
    mer2025(tmp_path)
    both, words_only, text_only = load_samples("MER-Caption+", tmp_path, "train")
    assert (both.words, both.description, both.subtitle) == (("concern", "pessimism"), "A voice, trembling.", "Hello")
    assert both.tasks == (Task.OV_MER, Task.ERI)
    assert (words_only.words, words_only.subtitle, words_only.tasks) == ((), "", (Task.OV_MER,))
    assert (text_only.words, text_only.tasks) == (None, (Task.ERI,))
    assert first("OV-MERD", tmp_path, "test").words == ("excited", "joyful")


def test_media_are_found_nested_flat_and_beside(tmp_path: Path):
    for layout in (mer2025, mintrec, merr, ferv39k, avamerg, emer):
        layout(tmp_path)
    relative = lambda path: str(path.relative_to(tmp_path)) if path else None  # noqa: E731
    places = {
        ("MER-Caption+", "train", 0): ("MER2025/video/video/sample_1.mp4", "MER2025/audio/audio/sample_1.wav"),
        ("MER-Caption+", "train", 1): ("MER2025/video/samplenew3_2.mp4", None),  # missing: where it should lie
        ("MIntRec", "train", 0): ("MIntRec/raw_data/S05/E16/329.mp4", None),
        ("MIntRec", "train", 1): ("MIntRec/video/S05_E16_330.mp4", "MIntRec/audio/S05_E16_330.wav"),
        ("MERR-Fine", "train", 0): ("MER2023/test3/sample_1.avi", None),
        ("MERR-Fine", "train", 1): ("MER2023/test3/samplenew_2.mp4", "MER2023/audio/samplenew_2.wav"),
        ("FERV39k", "train", 0): ("FERV39k/0_7_LabelClips/Action/Sad/0010.mp4", None),
        ("FERV39k", "train", 1): ("FERV39k/2_ClipsforFaceCrop/War/Angry/0010", None),
        ("AvaMERG", "train", 1): ("AvaMERG/video_v5_0/dia00001utt2_16.mp4", "AvaMERG/audio_v5_0/dia00001utt2_16.wav"),
        ("AvaMERG", "train", 2): ("AvaMERG/video_v5_0/dia1118utt3.mp4", None),
        ("EMER", "test", 0): ("MER2023/train/sample_5.avi", None),
    }
    for (name, split, place), expected in places.items():
        media = first(name, tmp_path, split, place).media
        assert (relative(media.video), relative(media.audio)) == expected


def test_a_dialogue_turn_knows_what_came_before(tmp_path: Path):
    avamerg(tmp_path)
    sample = first("AvaMERG", tmp_path, "train", 1)
    assert [(t.role, t.text) for t in sample.history] == [("speaker", "line 0"), ("listener", "line 1")]
    assert (sample.subtitle, sample.context, sample.response, sample.label) == ("line 2", "an exam", "I see.", "anxious")
    assert sample.chain is not None
    assert (sample.chain.speaker_emotion, sample.chain.goal_to_response) == ("anxious", "comfort")
    assert len(sample.candidates) == 33  # the 32 words and `conflicted`


def test_without_labelled_file_avamerg_holds_dialogues_out(tmp_path: Path):
    conversations = [f"{n:05d}" for n in range(200)]
    write(tmp_path / "AvaMERG/train.json", json.dumps([dialogue(c, range(2)) for c in conversations]))
    parts = {
        split: {s.meta["conversation"] for s in load_samples("AvaMERG", tmp_path, split)}
        for split in ("train", "validation", "test")
    }
    assert sum(len(part) for part in parts.values()) == 200
    assert set.union(*parts.values()) == set(conversations)
    assert all(8 <= len(parts[split]) <= 35 for split in ("validation", "test"))
    assert held_out("00001") == held_out("00001")


def test_scores_and_the_sentinel(tmp_path: Path):
    mer2023(tmp_path)
    mosi(tmp_path)
    assert (first("MER2023", tmp_path, "test").score, first("MER2023", tmp_path, "test", 1).score) == (None, 2.5)
    sample = first("CMU-MOSI", tmp_path, "test")
    assert (sample.score, sample.score_range, sample.tasks) == (-1.8, (-3.0, 3.0), (Task.MSA,))


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
    ("MIntRec", mintrec, "MIntRec/train.tsv", "season\tepisode\tclip\ttext\tlabel\nS1\tE1\t1\thi\tDance\n", r"train\.tsv:2: label 'Dance'"),
    ("MIntRec", mintrec, "MIntRec/train.tsv", "season\tepisode\tclip\ttext\tlabel\nS1\tE1\n", r"train\.tsv:2: 2 columns"),
    ("FERV39k", ferv39k, "FERV39k/4_setups/All_scenes/train_All.csv", "War/Sad/1 Sad\nWar/Sad/1 Sad\n", "again"),
    ("FERV39k", ferv39k, "FERV39k/4_setups/All_scenes/train_All.csv", "War/Sad/1\n", r"train_All\.csv:1: expected"),
    ("MER-Caption+", mer2025, "MER2025/track2_train_mercaptionplus.csv", "name,words\na,b\n", r"csv:1: no column \['openset'\]"),
    ("MER-Caption+", mer2025, "MER2025/track3_train_mercaptionplus.csv", "name,reason\na,\n", r"csv:2: 'a' has an empty"),
    ("MERR-Fine", merr, "MERR/MERR_fine_grained.json", '{"a": {"text": "x"}}', r"json:a: no field"),
    ("MERR-Fine", merr, "MERR/MERR_fine_grained.json", '{"a":\n {,}', r"json:2: not JSON"),
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
    with pytest.raises(FileNotFoundError, match=r"AvaMERG is missing; huggingface"):
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
