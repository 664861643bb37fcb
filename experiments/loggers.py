"""The loggers: a local file always, W&B online after `wandb login`, else offline; never a prompt or a server that blocks."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from functools import partial
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from experiments.guarded_wandb import GuardedWandbLogger
from experiments.logs import console
from experiments.metrics_log import MetricsLog
from nano_emox.config import ExperimentConfig, to_dict

SERVERS = ("api.wandb.ai", "api.forge.coreweave.com")  # W&B's own, under its former and its present name


def wandb_mode(config: ExperimentConfig) -> str:
    """`auto` resolved: the environment's WANDB_MODE, else online where a login is stored, else offline."""
    if config.wandb.mode != "auto":
        return config.wandb.mode
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    return "online" if "WANDB_API_KEY" in os.environ or _login_stored() else "offline"


def _login_stored() -> bool:
    """Whether `wandb login` has left a key; asked without importing wandb, which is slow."""
    file = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    server = urlsplit(os.environ.get("WANDB_BASE_URL", "")).hostname
    try:
        return bool({server} & set(netrc(file).hosts) if server else set(SERVERS) & set(netrc(file).hosts))
    except (OSError, NetrcParseError):
        return False


def make_loggers(config: ExperimentConfig, name: str) -> list[Logger]:
    """The local log of this stage, and the W&B run that all stages of one output directory share."""
    output = Path(config.output)
    loggers: list[Logger] = [MetricsLog(output / "logs" / name)]
    mode = wandb_mode(config)
    if mode == "disabled" or getattr(rank_zero_only, "rank", 0) != 0:
        return loggers
    output.mkdir(parents=True, exist_ok=True)
    loggers.append(GuardedWandbLogger(partial(_start, config), online=mode == "online", patience=config.wandb.timeout))
    return loggers


def _start(config: ExperimentConfig, online: bool) -> Any:
    import wandb  # late: it is slow, and not wanted where the mode is disabled

    output, seconds = Path(config.output), config.wandb.timeout
    with suppress(Exception):
        wandb.teardown()  # of a service that died, or of a start that failed and still holds the run's id
    if online:
        _probe(str(wandb.setup().settings.base_url), seconds)  # `wandb.init` tries for minutes where a server hangs
    run = wandb.init(
        project=config.wandb.project,
        entity=config.wandb.entity,
        group=config.wandb.group,
        name=output.name,
        id=_run_id(output),
        resume="allow" if online else None,
        dir=output,
        mode="online" if online else "offline",
        config=to_dict(config),
        reinit="finish_previous",
        settings=wandb.Settings(init_timeout=seconds, finish_timeout=seconds),
    )
    run.define_metric("p2e/step")
    run.define_metric("*", step_metric="p2e/step")
    if wandb_mode(config) == "offline":
        console.print(f"[dim]W&B is offline; the run lies in {output / 'wandb'} (wandb login, then wandb sync, uploads it)[/]")
    return run


def _probe(address: str, seconds: float) -> None:
    """Raise `OSError` if the server does not answer, or with an error of its own."""
    try:
        with urlopen(f"{address.rstrip('/')}/graphql", timeout=seconds):
            pass
    except HTTPError as error:
        if error.code >= 500:
            raise
    except OSError as error:
        raise OSError(f"{address} does not answer: {getattr(error, 'reason', error)}") from error


def _run_id(output: Path) -> str:
    """One W&B run for all stages: its id is kept beside the checkpoints; of two that start at once, one writes it."""
    file = output / "wandb_run.json"
    with suppress(FileExistsError), file.open("x") as stream:
        stream.write(json.dumps({"id": secrets.token_hex(4)}))
    return str(json.loads(file.read_text())["id"])
