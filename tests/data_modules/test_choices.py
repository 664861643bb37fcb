"""What a user can choose about a data set: layout, subset, list of clips; and how damaged text is put right."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from data_modules import MER2024
from data_modules.datasets import DATASETS, load_samples, splits_of
from data_modules.fixtures.catalogue import fixtures_of, write_fixture
from data_modules.fixtures.fixture import Folder
from data_modules.inputs import MediaInputs
from data_modules.readers.class_folder import ListedClasses
from data_modules.readers.series_json import seconds_of
from data_modules.readers.tables import mend
from data_modules.record import Sample


def write(root: Path, dataset: str, layout: str) -> None:
    write_fixture(next(fixture for fixture in fixtures_of(dataset) if fixture.layout == layout), root)


def ids(samples: list[Sample]) -> list[str]:
    return [sample.id for sample in samples]


def test_the_language_of_subtitles_is_a_layout(tmp_path: Path):
    write(tmp_path, "MER2024", "unibench")
    found = {}
    for layout in ("unibench", "unibench_english"):
        module = MER2024(tmp_path, layout=layout, on_bad="skip", inputs=MediaInputs())
        module.setup()
        found[layout] = [sample.subtitle for sample in module.test]
    assert found == {"unibench": ["怎么办", ""], "unibench_english": ["What now", ""]}


def test_the_other_tests_of_mer2023_are_subsets(tmp_path: Path):
    write(tmp_path, "MER2023", "original")
    assert splits_of("MER2023", tmp_path) == ("train", "test")
    assert splits_of("MER2023", tmp_path, subset="test2") == ("test",)
    assert ids(load_samples("MER2023", tmp_path, "test", subset="test2")) == ["sample_00002001"]
    third = load_samples("MER2023", tmp_path, "test", subset="test3")
    assert [(sample.id, sample.score, sample.split) for sample in third] == [("samplenew_00003001", None, "test")]
    with pytest.raises(ValueError, match="no subset 'test4'"):
        load_samples("MER2023", tmp_path, "test", subset="test4")


@pytest.mark.parametrize("name", ["CREMA-D", "M3ED", "CAER", "FERV39k"])
def test_the_paper_trained_on_every_split_of_its_first_phase(tmp_path: Path, name: str):
    write(tmp_path, name, "original")
    everything = load_samples(name, tmp_path, "all", on_bad="skip")
    assert {sample.split for sample in everything} == set(DATASETS[name].splits)
    assert ids(load_samples(name, tmp_path, "train", subset="as_released", on_bad="skip")) == ids(everything)


def test_a_released_list_is_merged_already(tmp_path: Path):
    write(tmp_path, "M3ED", "released")
    assert splits_of("M3ED", tmp_path) == ("train",)
    samples = load_samples("M3ED", tmp_path, "train", on_bad="skip")
    assert load_samples("M3ED", tmp_path, "train", subset="as_released", on_bad="skip") == samples


def test_no_actor_is_in_two_splits(tmp_path: Path):
    for actor in range(1001, 1092):
        Folder(tmp_path).empty(f"CREMA-D/AudioWAV/{actor}_DFA_ANG_XX.wav")
    actors = {
        split: {s.meta["actor"] for s in load_samples("CREMA-D", tmp_path, split)} for split in DATASETS["CREMA-D"].splits
    }
    assert sum(map(len, actors.values())) == len(set.union(*actors.values())) == 91


def test_the_sound_of_a_crema_video_is_its_wav_where_there_is_one(tmp_path: Path):
    write(tmp_path, "CREMA-D", "video")
    wav = Folder(tmp_path).sound("CREMA-D/AudioWAV/1001_DFA_ANG_XX.wav")
    first, second = load_samples("CREMA-D", tmp_path, "train", layout="video", on_bad="skip")[:2]
    assert (first.media.video, first.media.audio) == (tmp_path / "CREMA-D/VideoFlash/1001_DFA_ANG_XX.flv", wav)
    assert second.media.audio is None


def test_a_label_that_contradicts_its_path_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write(tmp_path, "FERV39k", "original")
    with caplog.at_level(logging.WARNING):
        load_samples("FERV39k", tmp_path, "train", on_bad="skip")
    assert "1 clips have another label in the list than in their path" in caplog.text
    assert "train_All.csv:11: 'Action/Sad/0012 Fear'" in caplog.text


def test_the_list_of_one_scene_is_read_like_the_list_of_all(tmp_path: Path):
    write(tmp_path, "FERV39k", "original")
    reader = DATASETS["FERV39k"].reader
    assert isinstance(reader, ListedClasses)
    of_scene = replace(reader, splits={"test": "*_setups/OfficialEvent/test_OfficialEvent.csv"})
    assert list(of_scene.read(tmp_path, "test")) == load_samples("FERV39k", tmp_path, "test")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("it\x92s \x93here\x94 \x96 now", "it’s “here” – now"),
        ("itâ€™s â€œhereâ€\x9d â€“ now", "it’s “here” – now"),
        ("cafÃ©", "café"),
        ("café, naïve – “so”", "café, naïve – “so”"),
        ("你好，世界…", "你好，世界…"),
        ("plain", "plain"),
    ],
)
def test_quotes_in_the_wrong_encoding_are_mended(text: str, meant: str):
    assert mend(text) == meant


def test_time_codes_count_frames():
    assert seconds_of("01:02:03:05") == 3723.2
    assert seconds_of("1.5") is None
