"""`--fresh`: what belongs to the stage goes aside, what other stages left stays."""

import json

import pytest

from experiments.accounting import AccountFile, read_accounts
from experiments.assembly import configure
from experiments.resume import start_over

RECORDS = ("config.yaml", "accounting.jsonl", "nonfinite.jsonl", "wandb_run.json")


@pytest.fixture
def output(tmp_path):
    for phase in ("phase1_speech", "phase2"):
        for epoch in (0, 1):
            AccountFile(tmp_path / "accounting.jsonl")({"phase": phase, "epoch": epoch, "split": "train"})
        (tmp_path / f"{phase}.safetensors").write_text("old")
    (tmp_path / "config.yaml").write_text("old")
    (tmp_path / "nonfinite.jsonl").write_text(json.dumps({"step": 1}) + "\n")
    (tmp_path / "wandb_run.json").write_text('{"id": "old"}')
    return tmp_path


def test_one_stage_takes_its_own_rows_and_results_and_keeps_the_shared_run(output):
    start_over(configure("tiny", [f"output={output}"]), "phase2", ["phase2"])
    aside = output / "aside" / "1"
    assert {row["phase"] for row in read_accounts(output / "accounting.jsonl")} == {"phase1_speech"}
    assert len(read_accounts(aside / "accounting.jsonl")) == 4
    assert {path.name for path in aside.iterdir()} == {
        "config.yaml", "accounting.jsonl", "nonfinite.jsonl", "phase2.safetensors"
    }  # fmt: skip
    assert all((output / name).exists() for name in (*RECORDS, "phase1_speech.safetensors"))


def test_a_whole_curriculum_takes_everything(output):
    config = configure("tiny", [f"output={output}"])
    start_over(config, "p2e", list(config.phases))
    assert [path.name for path in output.iterdir()] == ["aside"]
    assert all((output / "aside" / "1" / name).exists() for name in RECORDS)
