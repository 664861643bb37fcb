"""NaN and infinity: the step is left out and written down, three in a row stop, nothing of it reaches a checkpoint."""

import json
import signal

import pytest
import torch

from nano_emox.checkpoint_io import read_checkpoint
from tests.faults import child
from tests.faults.runs import Life, assert_same


def events(run):
    path = run.output / "nonfinite.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def names(row):
    return [name.rsplit("/", 1)[0] for name in row["samples"]]


def all_finite(run):
    assert all(bool(torch.isfinite(value).all()) for value in run.weights().values())
    for path in run.checkpoints():
        assert all(bool(torch.isfinite(v).all()) for v in read_checkpoint(path)["state_dict"].values())


@pytest.mark.parametrize(("fault", "what"), [("nan_loss", "loss"), ("nan_gradient", "gradient")])
def test_the_step_is_left_out_and_its_samples_written_down(fault, what, whole, make_run, tmp_path, times, record):
    steps = [2, 9, 10, 17, 29] if times(0, 1) else [2, 9, 10, 25]
    inject = ":".join([fault, *map(str, steps)])
    run = make_run(tmp_path / "run")
    run.finish(inject=inject)
    assert [(event["step"], event["what"]) for event in events(run)] == [(step, what) for step in steps]
    rows = whole.by_batch()
    assert [event["samples"] for event in events(run)] == [names(rows[step]) for step in steps]
    assert run.by_batch() == rows  # samples, schedule and step numbers go on as if nothing had been left out
    all_finite(run)
    same = [name for name, value in run.weights().items() if torch.equal(value, whole.weights()[name])]
    assert len(same) < len(whole.weights())  # something was left out

    cut = make_run(tmp_path / "cut", "trainer.checkpoint_every_n_steps=1")
    life = cut.live(inject=inject)
    life.until(lambda: cut.draws_so_far() >= 10)
    life.signal(signal.SIGKILL)
    life.wait()
    cut.finish(inject=inject)
    assert_same(cut, run)
    record(
        f"{'NaN' if what == 'loss' else 'infinity'} in a {what}",
        f"steps {', '.join(map(str, steps))}, two of them in a row",
        len(steps),
        "none applied; sample ids in nonfinite.jsonl; data and schedule as without; all weights in all checkpoints finite;"
        " killed in between: bit-equal",
    )


def test_three_in_a_row_stop_and_are_named(whole, make_run, tmp_path, record):
    run = make_run(tmp_path / "run", "trainer.checkpoint_every_n_steps=1")
    life = run.live(inject="nan_loss:18:19:20:21")
    assert life.wait() == 2, life.said[-3000:]
    said = "".join(life.said.split())
    assert "3stepsinarow" in said
    rows = whole.by_batch()
    wanted = [name for step in (18, 19, 20) for name in names(rows[step])]
    assert ",".join(wanted) in said
    assert [event["in_a_row"] for event in events(run)] == [1, 2, 3]
    assert "Traceback" not in life.said
    for path in run.checkpoints():
        assert all(bool(torch.isfinite(v).all()) for v in read_checkpoint(path)["state_dict"].values())
    record("NaN in three losses in a row", "phase2", 1, "exit 2 with the six sample ids; newest checkpoints finite")


def test_nan_in_a_feature_file_names_the_clip(world, whole, make_run, tmp_path, record):
    row = next(row for row in whole.by_batch() if row["phase"] == "phase2")
    sample = names(row)[0]
    cache = tmp_path / "features"
    spoiler = Life(child.spoil_features, world, cache, sample, output=tmp_path / "spoiler.txt")
    assert spoiler.wait() == 0, spoiler.said[-3000:]
    run = make_run(tmp_path / "run", f"cache={cache}")
    life = run.live()
    status = life.wait()
    drawn_with = [r["step"] - 1 for r in run.by_batch() if r["phase"] in ("phase2", "phase3") and sample in names(r)]
    found = events(run)
    assert [event["step"] for event in found] == drawn_with[: len(found)]
    assert found
    assert all(sample in event["samples"] for event in found)
    if status == 0:
        assert len(found) == len(drawn_with)
        all_finite(run)
    else:  # a clip that is drawn in three steps in a row
        assert status == 2
        assert "3 steps in a row" in " ".join(life.said.split())
    record(
        "NaN in a feature file",
        f"one clip, drawn {len(found)} times",
        len(found),
        "every such step left out and the clip named",
    )
