"""Two ranks that are killed, asked to stop, or given a NaN by one of them."""

import json
import random
import signal
import time

import pytest

from tests.faults.runs import assert_same
from tests.faults.test_ranks import all_ranks, torchrun

OPTIONS = ("trainer.devices=2", "trainer.checkpoint_every_n_steps=3", "trainer.accumulate_grad_batches=2")


@pytest.fixture(scope="module")
def undisturbed(make_run, world):
    run = make_run(world / "undisturbed", *OPTIONS)
    all_ranks(run, torchrun())
    return run


def test_two_ranks_go_on_bit_equal_after_a_kill_and_after_sigterm(undisturbed, make_run, tmp_path, times, record):
    rng, kills = random.Random(6), 0
    run = make_run(tmp_path / "run", *OPTIONS)
    for _ in range(times(2, 8)):
        lives = [run.live(env=environment) for environment in torchrun()]
        goal = run.draws_so_far() + rng.randint(6, 20)
        if lives[0].until(lambda goal=goal: run.draws_so_far() >= goal):
            time.sleep(rng.uniform(0, 0.1))
            for life in lives:  # a scheduler's kill reaches all of a job's processes
                life.signal(signal.SIGKILL)
            kills += 1
        for life in lives:
            life.wait()
    lives = [run.live(env=environment) for environment in torchrun()]
    goal = run.draws_so_far() + 5
    if lives[0].until(lambda: run.draws_so_far() >= goal):
        lives[1].signal(signal.SIGTERM)  # reaches one rank only: both must stop, at the same batch
        assert [life.wait() for life in lives] == [143, 143], lives[0].said[-3000:]
    all_ranks(run, torchrun())
    assert_same(run, undisturbed, rank=0)
    assert run.by_batch(rank=1) == undisturbed.by_batch(rank=1)
    record("SIGKILL of both ranks; SIGTERM to one of them", "DDP, gradients over 2 batches", kills + 1,
           "both ranks stop at the same batch, exit 143; weights and both ranks' samples bit-equal to two undisturbed ranks")  # fmt: skip


def test_a_nan_on_one_rank_leaves_the_step_out_on_both(undisturbed, make_run, tmp_path, record):
    run = make_run(tmp_path / "run", *OPTIONS)
    environments = torchrun()
    lives = [
        run.live(env=environment, inject="nan_loss:5" if rank == 1 else "") for rank, environment in enumerate(environments)
    ]
    for life in lives:
        assert life.wait(300) == 0, life.said[-3000:]
    (event,) = [json.loads(line) for line in (run.output / "nonfinite.jsonl").read_text().splitlines()]
    rows = [row for row in run.by_batch(rank=1) if row["batch"] in (10, 11)]  # step 5 has two batches
    assert event["samples"] == [name.rsplit("/", 1)[0] for row in rows for name in row["samples"]]
    assert (event["step"], event["what"]) == (5, "loss")
    record("NaN in a loss on one of two ranks", "DDP", 1, "left out on both ranks; the samples of that rank are named")
