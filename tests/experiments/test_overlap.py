"""What is trained on and scored at once is told before training starts, and left out where that is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from data_modules.datasets import load_samples
from data_modules.fixtures.catalogue import fixtures_of, write_fixture
from data_modules.splits import without_overlap
from experiments.configuration import read_config
from experiments.overlap import find_overlap
from nano_emox.config import ConfigError


def test_training_clips_in_a_benchmark_are_told_and_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    fixture = fixtures_of("OV-MERD")[0]
    write_fixture(fixture, tmp_path)
    config = read_config(
        "tiny", [f"data.root={tmp_path}", f"output={tmp_path / 'run'}", "evaluation.benchmarks=[OV-MERD,EMER,MER2023]"]
    )
    test = load_samples("OV-MERD", tmp_path, "test", on_bad="skip")
    shared = replace(test[0], dataset="MER-Caption+", split="train")
    train = {"MER-Caption+": [shared, replace(shared, id="sample_99999999")]}
    found = find_overlap(config, train)
    assert [each.pairs for each in found] == [((test[0].id, test[0].id),)]
    said = capsys.readouterr().out
    assert f"MER-Caption+ trains on 1 of the {len(test)} clips of OV-MERD, by name: {test[0].id}" in said
    assert "data.overlap=remove leaves them out" in said
    assert json.loads((tmp_path / "run/overlap.json").read_text())["found"][0]["pairs"] == [[test[0].id, test[0].id]]
    assert [sample.id for sample in without_overlap(train, found)["MER-Caption+"]] == ["sample_99999999"]


def test_without_overlap_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = read_config("tiny", [f"data.root={tmp_path}", f"output={tmp_path / 'run'}"])
    assert find_overlap(config, {}) == []
    assert capsys.readouterr().out == ""


def test_the_setting_is_checked():
    with pytest.raises(ConfigError, match=r"data\.overlap: 'drop'; choose report, remove or ignore"):
        read_config("tiny", ["data.overlap=drop"])
