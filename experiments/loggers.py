"""The loggers: CSV always, W&B online after `wandb login`, else offline; never a prompt that blocks."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from experiments.logs import console
from nano_emox.config import ExperimentConfig, to_dict


def wandb_mode(config: ExperimentConfig) -> str:
    """`auto` resolved: the environment's WANDB_MODE, else online where a login is stored, else offline."""
    if config.wandb.mode != "auto":
        return config.wandb.mode
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    netrc = Path.home() / ".netrc"
    logged_in = "WANDB_API_KEY" in os.environ or (netrc.is_file() and "api.wandb.ai" in netrc.read_text())
    return "online" if logged_in else "offline"


def make_loggers(config: ExperimentConfig, name: str) -> list[Logger]:
    """The CSV logger of this stage, and the W&B run that all stages of one output directory share."""
    output = Path(config.output)
    loggers: list[Logger] = [CSVLogger(output / "logs", name="", version=name)]
    mode = wandb_mode(config)
    if mode == "disabled":
        return loggers
    output.mkdir(parents=True, exist_ok=True)
    if getattr(rank_zero_only, "rank", 0) != 0:
        return loggers
    import wandb  # late: it is slow, and not wanted where the mode is disabled

    run = wandb.init(
        project=config.wandb.project,
        entity=config.wandb.entity,
        group=config.wandb.group,
        name=output.name,
        id=_run_id(output),
        resume="allow" if mode == "online" else None,
        dir=output,
        mode="online" if mode == "online" else "offline",
        config=to_dict(config),
        reinit="finish_previous",
    )
    run.define_metric("p2e/step")
    run.define_metric("*", step_metric="p2e/step")
    loggers.append(WandbLogger(experiment=run, save_dir=output))
    if mode == "offline":
        console.print(f"[dim]W&B is offline; the run lies in {output / 'wandb'} (wandb login, then wandb sync, uploads it)[/]")
    return loggers


def _run_id(output: Path) -> str:
    """One W&B run for all stages: its id is kept beside the checkpoints; of two that start at once, one writes it."""
    file = output / "wandb_run.json"
    with suppress(FileExistsError), file.open("x") as stream:
        stream.write(json.dumps({"id": secrets.token_hex(4)}))
    return str(json.loads(file.read_text())["id"])
