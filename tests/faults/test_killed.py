"""SIGKILL, anywhere: the run goes on as if nothing had happened."""

import random
import time

import torch

from nano_emox.checkpoint_io import read_weights

PHASES = ("phase1_speech", "phase1_visual", "phase2", "phase3")


def same_weights(run, other):
    for phase in PHASES:
        mine, theirs = read_weights(run.output / f"{phase}.safetensors"), read_weights(other.output / f"{phase}.safetensors")
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            assert torch.equal(value, theirs[name]), (phase, name)


def applied(run):
    """The samples of every batch of the whole run, whichever life applied it last; lives that repeat a batch draw the same."""
    by_batch = {}
    for row in run.drawn():
        assert by_batch.setdefault(row["batch"], row["samples"]) == row["samples"], row
    assert sorted(by_batch) == list(range(len(by_batch)))
    return [by_batch[batch] for batch in sorted(by_batch)]


def test_sigkill_at_random_steps(whole, make_run, tmp_path):
    rng = random.Random(1)
    run = make_run(tmp_path / "killed", "trainer.checkpoint_every_n_steps=2")
    kills = 0
    while True:
        life = run.live()
        target = run.draws_so_far() + rng.randint(2, 7)
        if not life.until(lambda: run.draws_so_far() >= target):
            assert life.wait() == 0, life.said[-3000:]
            break
        time.sleep(rng.uniform(0, 0.05))
        life.signal()
        kills += life.wait() == -9
    print(kills, [(r["life"] % 1000, r["batch"]) for r in run.drawn()])
    same_weights(run, whole)
    assert applied(run) == applied(whole)
