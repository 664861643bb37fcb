"""Two hundred seeded corruptions of real files: none crashes, hangs or fills the memory, and each ends in a reason."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import IO

import numpy as np
import pytest

from data_modules.media import Reason

Write = Callable[..., Path]
READER = Path(__file__).with_name("read_damaged.py")
CODECS = {
    "mp4": (("libx264", "aac"), 44_100),
    "avi": (("mpeg4", "mp3"), 44_100),
    "mkv": (("libx264", "aac"), 48_000),
    "webm": (("libvpx", "libopus"), 48_000),
    "wav": (("", "pcm_s16le"), 22_050),
}
REASONS = {reason.value for reason in Reason}
SECONDS, MEGABYTES = 10.0, 1000


def flip(data: np.ndarray, random: np.random.Generator) -> np.ndarray:
    places = random.integers(0, len(data), random.integers(1, 200))
    data[places] = random.integers(0, 256, len(places))
    return data


def cut(data: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return data[: random.integers(1, len(data))]


def zero(data: np.ndarray, random: np.random.Generator) -> np.ndarray:
    for start in random.integers(0, len(data), random.integers(1, 6)):
        data[start : start + random.integers(16, 4096)] = 0
    return data


def head(data: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The header, and mp4's index at the end, where sizes and rates stand."""
    for first, last in ((0, 512), (len(data) - 2048, len(data))):
        places = random.integers(max(first, 0), min(last, len(data)), 8)
        data[places] = random.integers(0, 256, 8)
    return data


DAMAGES = (flip, cut, zero, head)


def damaged(folder: Path, write: Write, each: int, first_seed: int = 0) -> list[Path]:
    """`each` files for every pair of container and damage."""
    time = np.arange(round(2.4 * 48_000))
    paths = []
    for extension, (codecs, rate) in CODECS.items():
        sound = (0.3 * np.sin(2 * np.pi * 220 * time[: round(2.4 * rate)] / rate)).astype(np.float32)
        frames = 0 if extension == "wav" else 24
        good = write(folder / f"good.{extension}", frames=frames, fps=10, sound=sound, rate=rate, codecs=codecs)
        for damage in DAMAGES:
            for seed in range(first_seed, first_seed + each):
                random = np.random.default_rng([seed, *extension.encode(), *damage.__name__.encode()])
                data = damage(np.frombuffer(good.read_bytes(), np.uint8).copy(), random)
                paths.append(folder / f"{damage.__name__}-{seed}.{extension}")
                paths[-1].write_bytes(data.tobytes())
    return paths


def pass_on(source: IO[str], lines: queue.Queue[str]) -> None:
    for line in source:
        lines.put(line)
    lines.put("")  # the process has ended


def read_all(paths: Sequence[Path]) -> tuple[list[dict], float]:
    """The outcome of every file, from one process, and that process's memory before the first, in MB."""
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen([sys.executable, str(READER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(map(str, paths)))
        process.stdin.close()
        before = json.loads(process.stdout.readline())["before"]
        Thread(target=pass_on, args=(process.stdout, lines), daemon=True).start()
        outcomes: list[dict] = []
        for path in paths:
            try:
                line = lines.get(timeout=SECONDS)
            except queue.Empty:
                process.kill()
                pytest.fail(f"{path.name} has kept the reader busy for more than {SECONDS:.0f} s")
            assert line, f"{path.name} ended the reader with exit status {process.wait()}"
            outcomes.append(json.loads(line))
    return outcomes, before


def test_every_damaged_file_is_read_or_refused_with_a_reason(tmp_path: Path, make_clip: Write):
    paths = damaged(tmp_path, make_clip, each=10)
    assert len(paths) == 200
    outcomes, _ = read_all(paths)
    for each in outcomes:
        said = {part.split(": ")[1] for part in each["outcome"].split(", ")} if each["outcome"] != "read" else set()
        assert said <= REASONS
        assert each["peak"] < MEGABYTES, each["path"]
    kinds = Counter("read" if each["outcome"] == "read" else "refused" for each in outcomes)
    assert min(kinds["read"], kinds["refused"]) > 20  # the damage is neither always harmless nor always fatal
    for extension in ("mp4", "avi", "mkv", "webm", "wav"):  # half of a file is never taken for the whole
        halves = [each for each in outcomes if "/cut-" in each["path"] and each["path"].endswith(extension)]
        shares = [Path(each["path"]).stat().st_size / (tmp_path / f"good.{extension}").stat().st_size for each in halves]
        assert all(each["outcome"] != "read" for each, share in zip(halves, shares, strict=True) if share < 0.6), extension
