"""Run as a process of its own: read the files named on the command line, one line of JSON each; then the peak memory.

A decoder that crashes or hangs takes this process with it, not the tests.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from data_modules.inputs import MediaInputs
from data_modules.media import MediaError, probe
from data_modules.record import Media, Sample, Task


def outcome(path: str) -> str:
    """`read`, or the reasons why not: of the header, of the frames, of the sound."""
    media = Media(audio=Path(path)) if path.endswith(".wav") else Media(Path(path))
    sample = Sample("damaged", "toy", "train", (Task.ERI,), media)
    inputs = MediaInputs(frames=8, size=32, clips=2, seconds=0.5)
    reasons = []
    for part, read in (("header", lambda _: probe(path)), ("frames", inputs.read_frames), ("sound", inputs.read_clips)):
        try:
            got = read(sample)
            assert not isinstance(got, torch.Tensor) or got.numel()
        except MediaError as error:
            if not (part == "frames" and media.video is None):
                reasons.append(f"{part}: {error.reason.value}")
    return ", ".join(reasons) or "read"


def peak() -> float:
    """The most memory that this program has held, in MB; `ru_maxrss` would count what its parent held before it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    from torchaudio.functional import resample as resample  # part of what a worker loads, not of what a file costs

    print(json.dumps({"before": peak()}), flush=True)
    for path in sys.stdin.read().split("\n"):
        start = time.perf_counter()
        line = {"path": path, "outcome": outcome(path), "seconds": time.perf_counter() - start}
        print(json.dumps(line | {"peak": peak()}), flush=True)


if __name__ == "__main__":
    main()
