"""A loader worker that is killed or hangs is an error that names the sample, and what to do."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from data_modules.module import AffectDataModule
from data_modules.record import Media, Sample, Task
from data_modules.workers import WorkerError


class Stuck:
    """Reads numbers; at one of them it says which process it is, and goes on only when the file is gone."""

    def __init__(self, number: int, flag: Path) -> None:
        self.number, self.flag = number, flag

    def __call__(self, sample: Sample) -> dict[str, torch.Tensor]:
        if int(sample.id) == self.number:
            self.flag.write_text(str(os.getpid()))
            while self.flag.exists():
                time.sleep(0.01)
        return {"number": torch.tensor([float(sample.id)])}


def module(reader, **options) -> AffectDataModule:
    samples = [Sample(str(n), "toy", "train", (Task.ERI,), Media(Path(f"/media/{n}.mp4")), description="x") for n in range(40)]
    return AffectDataModule(
        samples, samples, inputs=reader, batch_size=4, steps_per_epoch=10, num_workers=2, collate=list, **options
    )


def killer(flag: Path) -> threading.Thread:
    def kill() -> None:
        while not (flag.exists() and flag.read_text()):
            time.sleep(0.01)
        os.kill(int(flag.read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
def test_a_killed_worker(loader, tmp_path, times, record):
    rounds, slowest, flag = times(2, 20), 0.0, tmp_path / "flag"
    for number in range(3, 3 + rounds):
        flag.unlink(missing_ok=True)
        thread = killer(flag)
        reading = iter(getattr(module(Stuck(number, flag), timeout=1.0), loader)())
        started = time.monotonic()
        with pytest.raises(WorkerError) as caught:  # noqa: PT012
            for _ in reading:
                started = time.monotonic()
        slowest = max(slowest, time.monotonic() - started)
        message = str(caught.value)
        assert f"toy/{number} (/media/{number}.mp4)" in message
        assert "was killed by SIGKILL while it read" in message
        assert "lower data.workers" in message
        thread.join()
    record(
        "loader worker killed (SIGKILL)", loader, rounds, f"named sample and file, at most {slowest:.1f} s after the last batch"
    )


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
def test_a_hanging_worker(loader, tmp_path, times, record):
    rounds, slowest, flag = times(1, 10), 0.0, tmp_path / "flag"
    for number in range(3, 3 + rounds):
        flag.unlink(missing_ok=True)
        reading = iter(getattr(module(Stuck(number, flag), timeout=2.0), loader)())
        started = time.monotonic()
        with pytest.raises(WorkerError) as caught:  # noqa: PT012
            for _ in reading:
                started = time.monotonic()
        slowest = max(slowest, time.monotonic() - started)
        message = str(caught.value)
        assert "no batch for 2 s" in message
        assert f"while it read toy/{number} (/media/{number}.mp4), for " in message
        assert "data.timeout" in message
        flag.unlink()
    record("loader worker hangs (timeout 2 s)", loader, rounds, f"named sample and file, after {slowest:.1f} s")


def test_a_slow_read_is_no_hang(tmp_path):
    flag = tmp_path / "flag"
    reading = iter(module(Stuck(3, flag), timeout=30.0).val_dataloader())
    threading.Timer(6.0, flag.unlink).start()  # longer than the workers are looked at
    assert sum(len(batch) for batch in reading) == 40


def test_the_command_says_it_and_exits_with_2(make_run, world, record):
    """Through the real entry point: a worker is killed while it decodes, and the run can go on afterwards."""
    run = make_run(world / "killed_worker", "run=[phase1_speech]", "data.features=online", "data.workers=2", "data.timeout=60")
    life = run.live(inject=f"slow_reading:{world / 'reading'}")
    assert life.until(lambda: (world / "reading").exists() and run.draws_so_far() >= 1)
    os.kill(int((world / "reading").read_text()), signal.SIGKILL)
    assert life.wait() == 2, life.said[-2000:]
    said = " ".join(life.said.split())
    assert "was killed by SIGKILL" in said
    assert "M3ED/" in said or "CREMA-D/" in said
    assert "Traceback" not in said
    record("loader worker killed (SIGKILL)", "`nano-emox train`, online towers", 1, "exit status 2, sample and file named")
