"""SIGKILL, anywhere: the run goes on as if nothing had happened, and no checkpoint is ever unreadable."""

import collections
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from nano_emox.checkpoint_io import read_checkpoint
from tests.faults.runs import assert_same


@pytest.fixture
def elsewhere():
    """A directory on another file system than the temporary one."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("/dev/shm is no file system of its own here")
    path = Path(tempfile.mkdtemp(dir=shared))
    yield path
    shutil.rmtree(path)


def killed_at_random(make_run, directory, temporary, whole, count, seed):
    """Runs that are killed until `count` kills are reached, each then compared with the uninterrupted one."""
    rng = random.Random(seed)
    struck, repeated, runs = collections.Counter(), 0, 0
    while struck.total() < count:
        runs += 1
        run = make_run(directory / str(runs), "trainer.checkpoint_every_n_steps=2")
        while True:
            life = run.live(env={"TMPDIR": str(temporary)})
            goal = run.draws_so_far() + rng.randint(1, 5)
            struck_enough = struck.total() >= count
            if struck_enough or not life.until(lambda run=run, goal=goal: run.draws_so_far() >= goal):
                assert life.wait() == 0, life.said[-3000:]
                break
            time.sleep(rng.uniform(0, 0.06))  # anywhere in a step or a save
            life.signal(signal.SIGKILL)
            if life.wait() == -signal.SIGKILL:
                struck[run.drawn()[-1]["phase"]] += 1
            for path in run.checkpoints():
                read_checkpoint(path)
        assert_same(run, whole)
        repeated += run.draws_so_far() - whole.draws_so_far()
    return struck, repeated, runs


@pytest.mark.parametrize("where", ["the same file system", "another file system"])
def test_a_run_killed_at_random_steps_ends_bit_equal(where, whole, make_run, tmp_path, request, times, record):
    directory = tmp_path if where.startswith("the same") else request.getfixturevalue("elsewhere")
    count = times(10, 50)
    struck, repeated, runs = killed_at_random(make_run, directory, tmp_path, whole, count, seed=len(where))
    phases = ", ".join(f"{n} in {phase}" for phase, n in sorted(struck.items()))
    record(
        f"SIGKILL at a random moment ({phases})",
        f"checkpoints on {where} as TMPDIR" if where.startswith("the same") else f"checkpoints on {where} than TMPDIR",
        struck.total(),
        f"0 unreadable checkpoints; all {runs} runs bit-equal to the uninterrupted one after every phase; 0 samples lost or"
        f" drawn twice ({repeated} steps repeated from checkpoints); trainable names, optimizer groups and rates as uninterrupted",
    )
