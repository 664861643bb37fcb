"""A list of one's own clips is a training data set like any other."""

import json

import pytest

from data_modules.fixtures import intents
from data_modules.fixtures.fixture import Folder
from experiments.assembly import configure, found_datasets, phase_samples
from nano_emox.config import ConfigError

NAME = "generic:mine/list.jsonl"


def test_a_list_of_own_clips_is_in_the_mixture_of_a_phase(tmp_path):
    intents.write_mintrec2_data01(Folder(tmp_path))
    intents.write_mintrec_mmla(Folder(tmp_path))
    (tmp_path / "MMLA-Datasets/MIntRec/test.tsv").unlink()
    row = {"video": "a.mp4", "tasks": "mir", "label": "Leave"}
    (tmp_path / "mine").mkdir()
    rows = [row, {**row, "id": "b", "split": "validation"}]
    (tmp_path / "mine/list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = configure("tiny", [f"data.root={tmp_path}", f"phases.phase2.data={{{NAME}: 0.5}}"])
    assert config.phases["phase2"].data[NAME] == 0.5
    train, validation = phase_samples(config, config.phases["phase2"])
    assert [(sample.id, sample.dataset) for sample in train[NAME]] == [("a", NAME)]
    assert [sample.id for sample in validation if sample.dataset == NAME] == ["b"]
    assert found_datasets(config, [NAME, "generic:none.jsonl"]) == ([NAME], ["generic:none.jsonl"])
    with pytest.raises(ConfigError, match="no data set 'mine'"):
        found_datasets(config, ["mine"])
