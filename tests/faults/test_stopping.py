"""SIGTERM, SIGINT, and SLURM's warning before the time is up."""

import random
import re
import signal
import time

import pytest

from tests.faults.runs import assert_same

OPTIONS = ("trainer.accumulate_grad_batches=2", "trainer.checkpoint_every_n_steps=0")  # 32 batches, 16 steps


@pytest.fixture(scope="module")
def accumulated(make_run, world):
    run = make_run(world / "accumulated", *OPTIONS)
    run.finish()
    return run


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_it_saves_within_a_moment_and_nothing_is_repeated(
    number, status, accumulated, make_run, tmp_path, times, record
):
    rng, count, seconds, middle = random.Random(number), times(4, 20), [], 0
    stopped = runs = 0
    while stopped < count:
        runs += 1
        run = make_run(tmp_path / str(runs), *OPTIONS)
        while True:
            life = run.live()
            goal = run.draws_so_far() + rng.randint(1, 9)
            if stopped >= count or not life.until(lambda run=run, goal=goal: run.draws_so_far() >= goal):
                assert life.wait() == 0, life.said[-3000:]
                break
            time.sleep(rng.uniform(0, 0.04))
            life.signal(number)
            asked = time.monotonic()
            said = life.wait()
            seconds.append(time.monotonic() - asked)
            assert said == status, life.said[-3000:]
            stopped += 1
            middle += run.draws_so_far() % 2
        assert_same(run, accumulated)
        assert run.draws_so_far() == accumulated.draws_so_far()  # the checkpoint was of the very last batch
    assert max(seconds) < 30
    record(
        f"{number.name} at a random moment",
        f"gradients over 2 batches; {middle} of them between the two",
        stopped,
        f"exit {status} after at most {max(seconds):.1f} s; no batch repeated or lost; all {runs} runs bit-equal",
    )


def test_before_training_has_begun_it_ends_at_once(make_run, tmp_path, record):
    statuses = []
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        run = make_run(tmp_path / number.name)
        life = run.live()
        time.sleep(0.8)
        assert not run.checkpoints()
        life.signal(number)
        assert life.wait() in (status, -number), life.said[-3000:]
        statuses.append(status)
    record("SIGTERM, SIGINT before the first step", "while the model is built", 2, f"exit {statuses}, nothing left behind")


def test_slurm_puts_the_job_back_in_its_queue_and_it_goes_on(accumulated, make_run, tmp_path, record):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    env = {
        "SLURM_JOB_ID": "1234", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0",
        "SLURM_JOB_NAME": "p2e", "PATH": f"{scontrol.parent}:/usr/bin:/bin",
    }  # fmt: skip
    run = make_run(tmp_path / "run", *OPTIONS)
    life = run.live(env=env)
    life.until(lambda: run.draws_so_far() >= 13)
    life.signal(signal.SIGUSR1)
    assert life.wait() == 128 + signal.SIGUSR1, life.said[-3000:]
    assert f"SIGUSR1: saved {run.checkpoints()[0]}; the same command goes on from there" in life.said.splitlines()
    assert (tmp_path / "asked").read_text() == "requeue 1234\n"
    life = run.finish(env=env)
    assert re.search(r"^going on from .*\.ckpt: phase\w+, epoch \d of 2, batch \d of 4$", life.said, re.MULTILINE), life.said
    life = run.finish(env=env)
    assert "nothing is trained" in life.said
    assert "What trained" not in life.said
    assert_same(run, accumulated)
    assert run.draws_so_far() == accumulated.draws_so_far()
    assert (tmp_path / "asked").read_text() == "requeue 1234\n"
    record("SIGUSR1 under SLURM", "SLURM's variables, a scontrol on PATH", 1, "`scontrol requeue 1234` once; bit-equal")
