"""What is installed, found and missing, in one table; the exit status is 1 if a run could not start."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from rich.table import Table

from data_modules.datasets import DATASETS
from experiments.loggers import wandb_mode
from experiments.logs import console
from nano_emox.config import ExperimentConfig
from nano_emox.hub import SOURCES, locate

PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "lightning",
    "transformers",
    "peft",
    "torchmetrics",
    "wandb",
    "omegaconf",
    "av",
)
COMPROMISED = {"lightning": ("2.6.2", "2.6.3")}  # these two releases on the index stole credentials
OK, MISSING, NOTE = "[green]✓[/]", "[red]✗[/]", "[yellow]·[/]"


def examine(config: ExperimentConfig) -> int:
    """Print the table; return 0 if a run with this configuration can start, else 1."""
    table = Table(title=f"nano-emox doctor, preset {config.preset}", title_justify="left")
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    fatal = _packages(table) + _machine(table) + _backbones(table, config) + _data(table, config)
    table.add_row(
        NOTE, "W&B", f"{wandb_mode(config)}" + ("" if wandb_mode(config) == "online" else "; `wandb login` to go online")
    )
    console.print(table)
    if fatal:
        console.print(f"[red]{fatal} thing(s) missing[/]: a run with this configuration cannot start yet")
    return int(fatal > 0)


def _packages(table: Table) -> int:
    fatal = 0
    table.add_row(OK, "python", platform.python_version())
    for name in PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            table.add_row(MISSING, name, "not installed; run make setup")
            fatal += 1
            continue
        bad = version in COMPROMISED.get(name, ())
        table.add_row(MISSING if bad else OK, name, version + (" is a compromised release: make setup" if bad else ""))
        fatal += bad
    return fatal


def _machine(table: Table) -> int:
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            table.add_row(OK, f"GPU {index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    else:
        table.add_row(NOTE, "GPU", f"none; {os.cpu_count()} CPU cores, enough for the tiny preset")
    table.add_row(OK, "disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB free here")
    return 0


def _backbones(table: Table, config: ExperimentConfig) -> int:
    fatal = 0
    tiny = config.backbones.preset == "tiny"
    kept = replace(config.backbones, allow_download=False)  # this command only looks
    for part in SOURCES:
        try:
            table.add_row(OK, f"{part} backbone", str(locate(kept, [part])[part]))
        except FileNotFoundError as error:
            how = "; made by `make backbones`" if tiny else " (docs/weights.md)"
            table.add_row(NOTE if tiny else MISSING, f"{part} backbone", str(error).splitlines()[-1] + how)
            fatal += not tiny
    return fatal


def _data(table: Table, config: ExperimentConfig) -> int:
    root = Path(config.data.root)
    wanted = {name: "training" for phase in config.phases.values() for name in phase.data}
    for name in config.evaluation.benchmarks:
        wanted[name] = "training, benchmark" if name in wanted else "benchmark"
    fatal = 0
    for name, role in wanted.items():
        card = DATASETS[name]
        places = card.places(root)
        found = next((place for place in places if place.exists()), None)
        if found:
            table.add_row(
                OK,
                f"{name} ({role})",
                f"{found}" + ("" if config.data.synthetic else f"; licence: {card.licence}"),
            )
        elif config.data.synthetic:
            table.add_row(NOTE, f"{name} ({role})", "made by `make data`")
        else:
            table.add_row(
                MISSING if "training" in role else NOTE,
                f"{name} ({role})",
                f"{' or '.join(map(str, places))} is missing; {card.how_to_obtain}; licence: {card.licence}",
            )
            fatal += "training" in role
    return fatal
