"""What a table of layouts cannot show: the authors' subsets, held-out dialogues, files that are broken as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_modules import MIntRec, MIntRec2
from data_modules.datasets import DATASETS, load_samples, read_annotation
from data_modules.fixtures import intents
from data_modules.fixtures.catalogue import fixtures_of
from data_modules.fixtures.fixture import Fixture, Folder
from data_modules.readers.annotation import AnnotationError, Fault
from data_modules.readers.dialog_json import held_out
from data_modules.readers.messages_json import listed_ids


def fixture(dataset: str, layout: str) -> Fixture:
    return next(one for one in fixtures_of(dataset) if one.layout == layout)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def test_mintrec_as_released_is_train_and_dev_together(tmp_path: Path):
    intents.write_mintrec_flat(Folder(tmp_path))
    official = {split: read_annotation("MIntRec", tmp_path, split).samples for split in ("train", "validation", "test")}
    train = read_annotation("MIntRec", tmp_path, "train", subset="as_released")
    assert [s.id for s in train.samples] == [s.id for s in official["train"] + official["validation"]]
    assert {s.split for s in train.samples} == {"train"}
    assert train.faults == {"unknown_label": 1, "duplicate_id": 1, "malformed": 1}
    assert load_samples("MIntRec", tmp_path, "test", subset="as_released") == official["test"]
    with pytest.raises(ValueError, match="no subset 'as_released' with a split 'validation'"):
        load_samples("MIntRec", tmp_path, "validation", subset="as_released")


def test_mintrec2_as_released_is_what_the_authors_lists_name(tmp_path: Path):
    intents.write_mintrec2_data01(Folder(tmp_path))
    intents.write_mintrec2_released(Folder(tmp_path))
    for split in ("train", "test"):
        samples = load_samples("MIntRec2.0", tmp_path, split, subset="as_released")
        listed = [s.id for s in load_samples("MIntRec2.0", tmp_path, split, layout="released")]
        assert [s.id for s in samples] == listed
        assert {s.split for s in samples} == {split}
    assert len(load_samples("MIntRec2.0", tmp_path, "train", subset="as_released")) == 21  # of 30 + 2


def test_what_a_list_names_and_the_tables_do_not_have_is_counted(tmp_path: Path):
    intents.write_mintrec2_released(Folder(tmp_path))
    intents.write_mintrec2(Folder(tmp_path))
    listed = json.loads((tmp_path / "MIntRec2.0/test_MIntRec2_ann.json").read_text())
    listed.append({"messages": listed[0]["messages"], "videos": ["/x/dia9_utt9.mp4"]})
    write(tmp_path / "MIntRec2.0/test_MIntRec2_ann.json", json.dumps(listed))
    annotation = read_annotation("MIntRec2.0", tmp_path, "test", subset="as_released")
    assert [s.id for s in annotation.samples] == ["dia1101_utt12"]
    assert annotation.faults == {"malformed": 1, "unknown_label": 1, "no_row": 1}
    assert annotation.rejected[-1].place == "dia9_utt9"


def test_a_list_that_is_not_there_is_named(tmp_path: Path):
    intents.write_mintrec2(Folder(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"train_MIntRec2_ann\.json"):
        load_samples("MIntRec2.0", tmp_path, "train", subset="as_released", on_bad="skip")
    with pytest.raises(AnnotationError, match="entry 1: names neither videos nor audios"):
        listed_ids(write(tmp_path / "list.json", '[{"messages": []}]'))


def dialogue(conversation: str) -> dict[str, Any]:
    chain = {"speaker_emotion": "Anxious", "event_scenario": "a", "emotion_cause": "b", "goal_to_response": "c"}
    turn = {"dialogue_history": [{"index": 0, "role": "speaker", "utterance": "hi"}], "response": "hello"}
    turns = [{"turn_id": "0", **turn, "chain_of_empathy": chain}]
    return {"conversation_id": conversation, "turns": turns}


def test_without_a_labelled_file_avamerg_holds_dialogues_out(tmp_path: Path):
    conversations = [f"{n:05d}" for n in range(200)]
    write(tmp_path / "AvaMERG/train.json", json.dumps([dialogue(c) for c in conversations]))
    parts = {
        split: {s.meta["conversation"] for s in load_samples("AvaMERG", tmp_path, split)}
        for split in ("train", "validation", "test")
    }
    assert sum(len(part) for part in parts.values()) == 200
    assert set.union(*parts.values()) == set(conversations)
    assert all(8 <= len(parts[split]) <= 35 for split in ("validation", "test"))
    assert [held_out(c) for c in ("00001", "00009", "00023")] == ["train", "validation", "test"]  # on every machine


def test_a_dialogue_without_profiles_finds_the_only_clip_of_its_turn(tmp_path: Path):
    write(tmp_path / "AvaMERG/train.json", json.dumps([dialogue("00001"), dialogue("00002")]))
    for name in ("dia00001utt0_16", "dia00002utt0_4", "dia00002utt0_5"):
        Folder(tmp_path / "AvaMERG/video_v5_0").empty(f"{name}.mp4")
    first, second = load_samples("AvaMERG", tmp_path, "train")
    assert (first.media.video, second.media.video) == (
        tmp_path / "AvaMERG/video_v5_0/dia00001utt0_16.mp4",
        tmp_path / "AvaMERG/video_v5_0/dia00002utt0.mp4",  # two to choose from: it is not guessed
    )


WHOLE_FILES: list[tuple[str, str, str, str, str, str]] = [
    ("MIntRec", "original", "train", "MIntRec/train.tsv", "season\tepisode\ttext\tlabel\nS1\tE1\thi\tCare\n", r"tsv:1: no column \['clip'\]"),
    ("MIntRec", "original", "train", "MIntRec/train.tsv", "", r"train\.tsv:1: the file is empty"),
    ("MIntRec", "released", "train", "MIntRec/train_MIntRec_ann.json", "{}", r"json:1: expected a list of messages, found a dict"),
    ("MER-Caption+", "original", "train", "MER2025/track2_train_mercaptionplus.csv", "name,words\n", r"csv:1: no column \['openset'\]"),
    ("MERR-Fine", "original", "train", "MERR/MERR_fine_grained.json", '{"a":\n {,}', r"json:2: not JSON"),
    ("MERR-Fine", "original", "train", "MERR/MERR_fine_grained.json", "[]", r"expected a dictionary of name -> annotation"),
    ("AvaMERG", "original", "train", "AvaMERG/train.json", "{}", r"json:1: expected a list of dialogues, found a dict"),
    ("EMER", "original", "test", "EMER/gt-eng.csv", "names,emotions\n", r"csv:1: no column \['subtitles', 'reasons'\]"),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "layout", "split", "file", "content", "message"), WHOLE_FILES)
def test_a_file_that_is_broken_as_a_whole_stops_even_where_bad_entries_are_skipped(
    tmp_path: Path, dataset: str, layout: str, split: str, file: str, content: str, message: str
):
    fixture(dataset, layout).write(Folder(tmp_path))
    write(tmp_path / file, content)
    with pytest.raises(AnnotationError, match=message):
        load_samples(dataset, tmp_path, split, layout=layout, on_bad="skip")


def test_text_in_no_known_encoding_is_an_error_with_its_line(tmp_path: Path):
    path = tmp_path / "EMER/gt-eng.csv"
    path.parent.mkdir()
    path.write_bytes(b"names,emotions,subtitles,reasons\na,happy,hi,\x81\xff\n")
    with pytest.raises(AnnotationError, match=r"gt-eng\.csv:2: text in none of the encodings utf-8-sig, cp1252"):
        load_samples("EMER", tmp_path, "test")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../../b"])
def test_names_in_tables_cannot_lead_out_of_the_root(tmp_path: Path, name: str):
    write(tmp_path / "EMER/gt-eng.csv", f"names,emotions,subtitles,reasons\n{name},happy,hi,She smiles.\n")
    write(tmp_path / "MIntRec/train.tsv", f"season\tepisode\tclip\ttext\tlabel\nS1\tE1\t{name}\thi\tCare\n")
    write(tmp_path / "MER2025/track2_train_mercaptionplus.csv", f"name,openset\n{name},[sad]\n")
    write(tmp_path / "MER2025/subtitle_chieng.csv", "name,chinese,english\n")
    for dataset, split in (("EMER", "test"), ("MIntRec", "train"), ("MER-Caption+", "train")):
        annotation = read_annotation(dataset, tmp_path, split)
        assert annotation.samples == [] or all(
            sample.media.video is not None and sample.media.video.resolve().is_relative_to(tmp_path)
            for sample in annotation.samples
        )
        assert {error.fault for error in annotation.rejected} <= {Fault.OUTSIDE_ROOT}
    assert read_annotation("EMER", tmp_path, "test").faults == ({"outside_root": 1} if ".." in name else {})


def test_subset_and_layout_are_chosen_in_the_data_module(tmp_path: Path):
    intents.write_mintrec_flat(Folder(tmp_path))
    merged = MIntRec(tmp_path, subset="as_released", on_bad="skip")
    merged.setup()
    assert (len(merged.groups["MIntRec"]), len(merged.validation), len(merged.test)) == (22, 0, 3)
    intents.write_mintrec2_total(Folder(tmp_path))
    turns = MIntRec2(tmp_path, layout="multi-turn")
    turns.setup()
    assert [[turn.role for turn in sample.history] for sample in turns.test] == [[], ["Dina", "Glenn"]]
    with pytest.raises(AnnotationError, match=r"train\.tsv:22"):
        MIntRec(tmp_path).setup()


def test_every_layout_of_a_card_has_a_fixture():
    covered = {(fixture.dataset, fixture.layout) for name in DATASETS for fixture in fixtures_of(name)}
    assert covered == {(name, layout) for name, card in DATASETS.items() for layout in card.layouts}
