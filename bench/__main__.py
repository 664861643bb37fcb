"""`python -m bench`: measure, print, write. Every part runs alone with `--only`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import torch
import typer

from bench import data, epoch, evaluation, machine, memory, report, scaling, start, training
from bench.presets import preset as load_preset
from bench.report import Results
from bench.setting import Setting, make_setting
from bench.timing import Ratio
from experiments.logs import calm, console

PARTS = ("train", "evaluate", "data", "wheels", "epoch", "start", "memory", "scaling", "gpu")
DOCS = Path("docs/performance.md")


def run(
    preset: Annotated[str, typer.Option(help="tiny, quarter or paper")] = "quarter",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    only: Annotated[str, typer.Option(help=f"parts, comma-separated, of {', '.join(PARTS)}")] = "",
    rounds: Annotated[int | None, typer.Option(min=1, help="of each measurement; default: 2 at quarter, otherwise 5")] = None,
    threads: Annotated[int, typer.Option(min=1, help="of the CPU")] = 2,
    out: Annotated[Path, typer.Option(help="directory for results and media")] = Path("outputs/bench"),
    with_earlier: Annotated[
        bool, typer.Option("--with-earlier", help="parts that are not measured now come from the last latest.json, so marked")
    ] = False,
    write_docs: Annotated[bool, typer.Option("--write-docs", help=f"also the measured part of {DOCS}")] = False,
) -> None:
    """The released code's work against ours, side by side."""
    calm()
    torch.set_num_threads(threads)
    wanted = [part.strip() for part in only.split(",") if part.strip()] or list(PARTS)
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"no part {unknown}; there are {', '.join(PARTS)}", param_hint="--only")
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("torch sees no GPU; --device cpu measures here", param_hint="--device")
    results = measure(preset, torch.device(device), wanted, rounds or load_preset(preset).rounds, out, with_earlier)
    console.print(report.table(results))
    for path in report.write(results, out, DOCS if write_docs else None):
        console.print(f"wrote {path}")


def measure(
    preset: str, device: torch.device, parts: Iterable[str], rounds: int, out: Path, with_earlier: bool = False
) -> Results:
    """Measure these parts; what is done is in `latest.json` after each of them."""
    parts = list(parts)
    settings = {"preset": preset, "device": device.type, "rounds": rounds, "parts": parts, "when": machine.now()}
    results = Results(settings, machine.describe(device))
    if with_earlier:
        results.ratios += report.earlier_ratios(results, out)
    media = out / "media" / preset
    built: list[Setting] = []

    def setting() -> Setting:
        if not built:
            console.print(f"building {preset} with random weights, its clips and their features")
            built.append(make_setting(load_preset(preset), device, media))
        return built[0]

    def remark(text: str) -> None:
        results.remarks.append(text)
        console.print(text, style="dim", soft_wrap=True)

    def gpu() -> list[Ratio]:
        _on_gpu(setting(), results, rounds, out, remark)
        return []

    def curves() -> list[Ratio]:
        results.curves += scaling.measure(preset, device, media, rounds, remark, brief=preset == "smoke")
        return []

    brief = {"clips": 70, "steps": 2} if preset == "smoke" else {}
    measured: dict[str, Callable[[], Iterable[Ratio]]] = {
        "train": lambda: training.measure(setting(), rounds, remark),
        "evaluate": lambda: evaluation.measure(setting(), rounds),
        "data": lambda: data.measure(setting(), rounds),
        "wheels": lambda: evaluation.measure_wheels(media, rounds),
        "gpu": gpu,
        "epoch": lambda: epoch.measure(out / "media" / "epoch", min(rounds, 2), **brief),
        "start": lambda: start.measure(out / "media" / "epoch", rounds),
        "memory": lambda: memory.measure(preset, device.type, media, 1),
        "scaling": curves,
    }
    for part, measure_part in measured.items():
        if part not in parts or (part == "gpu" and device.type != "cuda" and parts != ["gpu"]):
            continue  # on a CPU its figures say little, so they are made only when asked for
        if part in ("epoch", "memory", "scaling"):
            built.clear()  # what these measure must not stand beside a model that nothing uses
        started = time.perf_counter()
        for found in measure_part():
            results.ratios.append(found)
            console.print(f"{found.name}: {found.ratio:.1f}x ({found.low:.1f} to {found.high:.1f})", style="bold")
        results.ratios.sort(key=lambda found: PARTS.index(report.part_of(found.name)))
        remark(f"{part}: {time.perf_counter() - started:.0f} s")
        report.write(results, out)
    return results


def _on_gpu(setting: Setting, results: Results, rounds: int, out: Path, remark: Callable[[str], None]) -> None:
    for phase in setting.preset.rows:
        times = setting.preset.own_batch
        found = machine.utilisation(setting, phase, max(rounds, 3), times)
        results.utilisation.append(found)
        remark(
            f"{phase}: {found.rows} rows in {found.seconds:.3f} s, {found.tokens_per_second:,.0f} tokens/s,"
            f" MFU {found.mfu:.1%} of {found.ceiling / 1e12:.1f} TFLOP/s"
        )
    if setting.device.type == "cuda":
        fits = {f"{size} GB": machine.largest_batch(setting, "phase3", size) for size in (24, 48, 80)}
        results.extra["largest_batch"] = fits
        remark(f"largest batch of phase 3: {fits}")
        rate = data.extraction_rate(setting, out / "media" / setting.preset.name, 8, 256)
        results.extra["extraction_clips_per_second"] = rate
        remark(f"extraction: {rate:.1f} clips/s")
    remark(f"trace: {machine.trace(setting, 'phase3', out / f'trace-{setting.preset.name}-phase3.json')}")


if __name__ == "__main__":
    typer.run(run)
