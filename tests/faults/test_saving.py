"""Faults while a checkpoint is written, and in what was written."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from nano_emox.checkpoint_io import read_checkpoint
from tests.faults.runs import assert_same


def half_written(run):
    return list((run.output / "resume" / "p2e").glob(".tmp-*"))


def test_killed_while_saving_the_one_before_loads(whole, make_run, tmp_path, times, record):
    rng, count, hit, runs = random.Random(3), times(6, 50), 0, 0
    while hit < count:
        runs += 1
        run = make_run(tmp_path / str(runs), "trainer.checkpoint_every_n_steps=1")
        done = False
        while not done and hit < count:
            life = run.live(inject="slow_disk:0.05")
            saves = len(run.drawn()) + rng.randint(1, 4)
            if not life.until(lambda run=run, saves=saves: run.draws_so_far() >= saves and half_written(run)):
                assert life.wait() == 0, life.said[-3000:]
                done = True
                continue
            time.sleep(rng.uniform(0, 0.04))
            life.signal(signal.SIGKILL)
            life.wait()
            hit += bool(half_written(run))  # it died between the first byte and the rename
            for path in run.checkpoints():
                read_checkpoint(path)
            assert run.checkpoints() or len(run.drawn()) <= 4
        if not done:
            run.finish()
        assert not half_written(run)
        assert_same(run, whole)
    record(
        "SIGKILL while a checkpoint is being written",
        "between the temporary file's first byte and its renaming",
        hit,
        f"every checkpoint that was there loads; {hit} half-written files swept at the next start; all {runs} runs bit-equal",
    )


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own; `grow(bytes)` sets its size."""
    directory = tmp_path / "disk"
    directory.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory]).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield directory, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", directory], check=True)
    subprocess.run(["umount", "-l", directory], check=True)


def test_a_full_disk_stops_the_run_and_leaves_the_older_checkpoints(whole, make_run, small_disk, times, record):
    disk, resize = small_disk
    rng, count, left = random.Random(4), times(2, 10), []
    for attempt in range(count):
        resize(f"{rng.randint(7000, 24000)}k")
        run = make_run(disk / "run", "trainer.checkpoint_every_n_steps=1")
        run.draws = disk.parent / f"draws{attempt}.jsonl"
        life = run.live(output=disk.parent / f"full{attempt}.txt")
        assert life.wait() == 2, life.said[-3000:]
        assert "bytes" in life.said, life.said[-3000:]
        assert "free some space and give the same command again" in life.said
        assert str(run.output) in life.said.replace("\n", "")
        assert "Traceback" not in life.said
        assert not half_written(run)
        left.append(len(run.checkpoints()))
        for path in run.checkpoints():
            read_checkpoint(path)
        resize("200m")
        run.finish(output=disk.parent / f"grown{attempt}.txt")
        assert_same(run, whole)
        shutil.rmtree(run.output)
    record(
        "disk full while a checkpoint is being written",
        "a tmpfs of 7 to 24 MB, a checkpoint at every step",
        count,
        f"exit 2, a message with path, bytes needed and bytes free; at least {min(left)} older checkpoints, all load; nothing"
        " half-written; with more space the same command ended bit-equal",
    )


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(whole, make_run, tmp_path, record):
    run = make_run(tmp_path / "run", "trainer.checkpoint_every_n_steps=2")
    goes_on_at = []
    damages = {
        "truncated": lambda content: content[: len(content) // 2],
        "one byte changed": lambda content: content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :],
        "empty": lambda content: b"",
    }
    for damage in damages.values():
        life = run.live()
        goal = run.draws_so_far() + 8
        life.until(lambda goal=goal: len(run.checkpoints()) >= 2 and run.draws_so_far() >= goal)
        life.signal(signal.SIGKILL)
        life.wait()
        newest, before = run.checkpoints()
        newest.write_bytes(damage(newest.read_bytes()))
        goes_on_at.append((run.draws_so_far(), newest, int(before.stem.partition("=")[2])))
    said = run.finish().said
    assert goes_on_at[-1][1].name in said.replace("\n", "")
    assert "going on from the one before it" in " ".join(said.split())
    for row, _, batch in goes_on_at:
        assert run.drawn()[row]["batch"] == batch
    assert_same(run, whole)
    record(
        f"newest checkpoint damaged ({', '.join(damages)})",
        "file on disk",
        len(damages),
        "said by name; the run goes on from the one before, bit-equal",
    )
