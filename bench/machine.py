"""What the machine can do: its name, a ceiling for matrix products, FLOPs of a step, and a profiler's trace of one."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from bench.setting import Setting
from bench.timing import round_robin, seconds, synchronize
from bench.training import Training


@dataclass(frozen=True)
class Utilisation:
    """Our step against the machine's ceiling.

    Attributes:
        flops: of one step, forward and backward, as counted while it ran; a multiply-add is 2.
        ceiling: FLOP per second of large matrix products on this machine in this run.
        mfu: flops / seconds / ceiling, in [0, 1].
        peak: bytes on the GPU; 0 on a CPU, where `memory` measures it.
    """

    phase: str
    rows: int
    seconds: float
    tokens_per_second: float
    flops: float
    ceiling: float
    mfu: float
    peak: int


def describe(device: torch.device) -> dict[str, Any]:
    """For the results file."""
    gpu = torch.cuda.get_device_properties(device).name if device.type == "cuda" else None
    return {
        "cpu": _cpu_name(), "cores": os.cpu_count(), "threads": torch.get_num_threads(), "gpu": gpu, "torch": torch.__version__,
        "python": platform.python_version(), "load": os.getloadavg()[0],
    }  # fmt: skip


def ceiling(device: torch.device, dtype: torch.dtype, size: int | None = None, tries: int = 5) -> float:
    """FLOP per second of square matrix products, the best of `tries`."""
    size = size or (8192 if device.type == "cuda" else 1024)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def many() -> None:
        for _ in range(10):
            torch.mm(left, right)

    many()
    return 10 * 2 * size**3 / min(seconds(many) for _ in range(tries))


def flops_of(work: Callable[[], object]) -> int:
    """FLOPs of all matrix products and attention in one call."""
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return int(counter.get_total_flops())


def utilisation(setting: Setting, phase: str, rounds: int, times: int = 1) -> Utilisation:
    """Our step of a phase at `times` the batch."""
    device = setting.device
    both = Training(setting, phase)
    both.prepare_ours()
    rows = setting.rows(phase, times)

    def step() -> object:
        return both.our_step(rows)

    flops = flops_of(step)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    taken = sorted(round_robin({"ours": step}, rounds)["ours"])[rounds // 2]
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    tokens = sum(count for count, _ in both.counts()) * times
    top = ceiling(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    return Utilisation(phase, len(rows), taken, tokens / taken, flops, top, flops / taken / top, peak)


def largest_batch(setting: Setting, phase: str, gigabytes: float, limit: int = 512) -> int:
    """The most rows that our step takes within that much GPU memory, by doubling and halving; 0 if not one batch does."""
    total = torch.cuda.get_device_properties(setting.device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 1e9 / total))
    both = Training(setting, phase)
    both.prepare_ours()
    fits, fails, times = 0, limit + 1, 1
    try:
        while fails - fits > 1:
            try:
                both.our_step(setting.rows(phase, times))
                fits = times
            except torch.OutOfMemoryError:
                fails = times
                torch.cuda.empty_cache()
            times = min(2 * times, limit) if fails > limit else (fits + fails) // 2
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return fits * len(both.rows)


def trace(setting: Setting, phase: str, path: Path) -> Path:
    """A profiler's trace of one of our steps, for chrome://tracing or Perfetto."""
    both = Training(setting, phase)
    both.prepare_ours()
    both.our_step()
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if setting.device.type == "cuda" else [])
    with profile(activities=activities, acc_events=True) as profiler:
        both.our_step()
        synchronize()
    path.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(path))
    return path


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def now() -> str:
    """Date and time, UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
