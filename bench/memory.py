"""Peak memory of one training step, each path in a process of its own that has done nothing else.

On a CPU it is the peak of the resident set over what the process held before the step (weights, batch), on Linux with
glibc; on a GPU it is torch's own count.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from bench.timing import Ratio, ratio

MIB = 2**20


def measure(preset: str, device: str, directory: Path, rounds: int, phase: str = "phase3") -> Iterator[Ratio]:
    """`memory.train_step`: what the step takes on top; `memory.whole`: with the weights of all that is in memory."""
    steps: dict[str, list[float]] = {"reference": [], "ours": []}
    whole: dict[str, list[float]] = {"reference": [], "ours": []}
    for _ in range(rounds):
        for path in steps:
            command = [sys.executable, "-m", "bench.memory", preset, device, path, str(directory), phase]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
            found = json.loads(done.stdout.splitlines()[-1])
            steps[path].append(found["step"])
            whole[path].append(found["whole"])
    note = f"{phase}; peak over what was held before the step"
    yield ratio("memory.train_step", steps["reference"], steps["ours"], unit="MiB", note=note)
    note = f"{phase}; weights included, for the reference those of the towers"
    yield ratio("memory.whole", whole["reference"], whole["ours"], unit="MiB", note=note)


def one_step(preset_name: str, device: torch.device, path: str, directory: Path, phase: str) -> dict[str, float]:
    """MiB of one step, and of the whole process (or GPU) at its peak."""
    from bench.presets import preset
    from bench.setting import make_setting
    from bench.training import Training

    setting = make_setting(preset(preset_name), device, directory)
    both = Training(setting, phase)
    if path == "reference":
        both.prepare_reference()
    else:
        for name in ("visual_encoder", "speech_encoder", "facial_encoder"):
            setattr(setting.model, name, None)  # training from the store holds no towers
        both.prepare_ours()
    before = reset_peak(device)
    both.reference_step() if path == "reference" else both.our_step()
    peak = peak_bytes(device)
    return {"step": (peak - before) / MIB, "whole": peak / MIB}


def reset_peak(device: torch.device) -> int:
    """Bytes held now; the peak is counted from here."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before must not serve the step uncounted
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # Linux: sets the high-water mark to what is held now
    return _status("VmRSS")


def peak_bytes(device: torch.device) -> int:
    """The most bytes held since `reset_peak`."""
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}; memory is measured on Linux")


if __name__ == "__main__":
    torch.set_num_threads(2)
    name, where, which, folder, stage = sys.argv[1:]
    print(json.dumps(one_step(name, torch.device(where), which, Path(folder), stage)))
