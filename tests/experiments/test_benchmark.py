"""`nano-emox evaluate`: killed again and again it writes what it would have written; the page stands alone."""

import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from experiments.assembly import make_model
from experiments.benchmark import benchmark, best_on_test, resolve, split_arguments
from experiments.cli import main
from experiments.evaluate import evaluate_subject, subject_of_phase
from nano_emox.config import ConfigError, save

LIMIT = ("evaluation.limit=3", "evaluation.batch_size=2")


@pytest.fixture(scope="module")
def finished(world, make_config):
    """A run with two checkpoints of nothing but initialisation: enough to evaluate."""
    output = world / "finished"
    config = make_config(output, *LIMIT)
    save(config, output / "config.yaml")
    model = make_model(config)
    state = {name: value for name, value in model.named_parameters() if not name.startswith("language")}
    save_file({name: value.detach().contiguous() for name, value in state.items()}, output / "phase3.safetensors")
    generator = torch.Generator().manual_seed(1)
    noisy = {name: value.detach() + 0.1 * torch.randn(value.shape, generator=generator) for name, value in state.items()}
    torch.save({"state_dict": noisy}, output / "epoch=7.ckpt")
    return output


def evaluate_in_a_child(config, subject):
    """In a fork, so that the libraries need not be imported again."""
    child = os.fork()
    if child == 0:
        try:
            evaluate_subject(config, subject)
        finally:
            os._exit(0)
    return child


def test_killed_five_times_and_continued_gives_the_same_lines_and_scores(world, make_config, finished):
    torch.set_num_threads(1)  # a fork has no other threads
    subject = subject_of_phase(make_config(finished), "phase3")
    whole, _ = evaluate_subject(make_config(world / "whole", *LIMIT), subject)
    config = make_config(world / "killed", *LIMIT)
    log = world / "killed" / "predictions" / (whole["predictions"].rsplit("/", 1)[1])
    expected = Path(whole["predictions"]).read_bytes()
    total = expected.count(b"\n")
    generator = np.random.default_rng(7)
    seen = []
    for kill in range(5):
        child = evaluate_in_a_child(config, subject)
        goal = int(generator.integers(kill * total // 6, (kill + 1) * total // 6 + 1))
        deadline = time.monotonic() + 60
        while (log.read_bytes().count(b"\n") if log.exists() else 0) < goal and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(float(generator.uniform(0, 0.02)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seen.append(log.read_bytes() if log.exists() else b"")
    assert len({len(each) for each in seen}) > 1  # it was under way
    assert all(expected.startswith(each) for each in seen)
    record, _ = evaluate_subject(config, subject)
    assert log.read_bytes() == expected
    assert {k: record[k] for k in ("scores", "by_dataset", "intervals")} == {
        k: whole[k] for k in ("scores", "by_dataset", "intervals")
    }


def test_every_task_is_evaluated_end_to_end_and_the_page_stands_alone(finished):
    page = benchmark([str(finished)], ["wandb.mode=disabled"], preset="tiny")
    text = page.read_text()
    scores = json.loads((page.parent / "scores.json").read_text())
    assert {name.split(".")[0] for name in scores["scores"]} >= {"mer", "msa", "ov_mer", "mir", "eri", "erg"}
    assert "checkpoint fixed before evaluation" in text
    assert "SELECTED ON THE TEST SET" not in text
    for wanted in (
        "79.09",
        "misprint",
        "released protocol",
        "greedy",
        "lexicon: builtin",
        "data:image/svg+xml",
        "data:image/jpeg",
    ):
        assert wanted in text, wanted
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "<script" not in text
    assert list(finished.glob("**/wandb")) == []


def test_a_checkpoint_brings_its_run_and_benchmarks_can_be_named(finished, capsys):
    page = benchmark(
        [str(finished / "epoch=7.ckpt")],
        ["wandb.mode=disabled", "evaluation.limit=2"],
        preset="tiny",
        benchmarks=["MER2023", "MELD"],
    )
    assert page.parent.name.startswith("finished-epoch7-")
    assert "MELD" in capsys.readouterr().out  # named as missing
    assert "apply for MER-UniBench" in page.read_text()
    assert set(json.loads((page.parent / "scores.json").read_text())["by_dataset"]) == {"MER2023"}


def test_selection_on_the_test_set_is_stamped(finished):
    page = benchmark(
        [str(finished / "phase3.safetensors"), str(finished / "epoch=7.ckpt")],
        ["wandb.mode=disabled"],
        preset="tiny",
        benchmarks=["MER2023"],
        select="best-on-test",
    )
    assert "SELECTED ON THE TEST SET" in page.read_text()
    assert "checkpoint fixed before evaluation" not in page.read_text()
    chosen = json.loads((page.parent / "scores.json").read_text())["selected_on_test"]
    assert "mer.hit_rate among" in chosen["MER2023"]


def test_the_first_of_the_best_is_taken_for_each_data_set():
    class Said:
        def __init__(self, dataset, name):
            self.dataset, self.task, self.name = dataset, "mer", name

    records = [
        ({"checkpoints": [name], "digest": name, "by_dataset": {"A": {"mer.hit_rate": a}, "B": {"mer.hit_rate": b}}},
         [Said("A", name), Said("B", name)])
        for name, a, b in (("x", 0.5, 0.1), ("y", 0.5, 0.9))
    ]  # fmt: skip
    _, predictions, chosen = best_on_test(records)
    assert [(p.dataset, p.name) for p in predictions] == [("A", "x"), ("B", "y")]
    assert chosen["B"] == "y (mer.hit_rate among 10.0, 90.0)"


def test_what_cannot_be_evaluated_is_said(finished, tmp_path, world):
    assert split_arguments(["runs/epoch=3.ckpt", "seed=1", "phase3"]) == (["runs/epoch=3.ckpt", "phase3"], ["seed=1"])
    with pytest.raises(ConfigError, match="fixed before the test set is seen"):
        benchmark(["phase2", "phase3"], [], preset="tiny")
    with pytest.raises(ConfigError, match="best-on-test"):
        benchmark(["phase3"], [], preset="tiny", select="best")
    with pytest.raises(ConfigError, match="no phase 'phase9'"):
        benchmark(["phase9"], [], preset="tiny")
    with pytest.raises(ConfigError, match=r"no config\.yaml here"):
        resolve([str(tmp_path)], [], "tiny", several=False)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*gone\.ckpt"):
        benchmark(
            [str(finished / "gone.ckpt")],
            [f"output={finished}", f"data.root={world / 'data'}", "wandb.mode=disabled"],
            preset="tiny",
        )
    with pytest.raises(ConfigError, match=r"evaluation\.lexicon.*no emotion wheels here"):
        benchmark(
            [str(finished)], [f"evaluation.lexicon={tmp_path}", "wandb.mode=disabled"], preset="tiny", benchmarks=["MER2023"]
        )


def test_an_answer_to_another_prompt_is_not_taken_for_this_one(world, make_config, finished):
    config = make_config(world / "prompts", *LIMIT)
    record, predictions = evaluate_subject(config, subject_of_phase(make_config(finished), "phase3"), ["MER2023"])
    log = world / "prompts" / "predictions" / record["predictions"].rsplit("/", 1)[1]
    log.write_text(log.read_text().replace(predictions[0].prompt_hash, "0" * 16))
    with pytest.raises(ConfigError, match="answered to another prompt"):
        evaluate_subject(config, subject_of_phase(make_config(finished), "phase3"), ["MER2023"])


def test_wheels_that_cannot_be_had_are_one_message(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["nano-emox", "fetch", "wheels", "--to", str(tmp_path), "--from", "http://127.0.0.1:9"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "copy the files here by hand" in capsys.readouterr().out.replace("\n", " ")
