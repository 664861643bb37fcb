"""Models in and out: the authors' checkpoint, folders to share, and what a folder is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from experiments.assembly import checkpoints_of, configure, make_model, stage, stages
from experiments.logs import console
from nano_emox.backbones import build_skeleton, load_tokenizer
from nano_emox.checkpoint_io import WEIGHTS
from nano_emox.checkpoints import import_released
from nano_emox.config import BackboneConfig, ConfigError, ExperimentConfig
from nano_emox.hub import locate
from nano_emox.model import NanoEmoX
from nano_emox.model_card import towers_needed, write_card
from nano_emox.pretrained import from_pretrained, push_to_hub, read_folder, save_pretrained, widths_of, write_folder
from nano_emox.prompts import MODALITIES, PromptTokenizer


def import_checkpoint(config: ExperimentConfig, path: Path, out: Path) -> None:
    """The authors' `.pth` as a folder; needs none of the published weights, but takes their sizes where they lie there."""
    model = build_skeleton(config.backbones, config.model)
    imported = import_released(path, model)
    about = {
        "phase": imported.phase, "source": f"imported from {path.name}", "widths": widths_of(model),
        "modalities": config.phases[imported.phase].evaluate_with if imported.phase in config.phases else [],
    }  # fmt: skip
    write_folder(imported.state, out, config.model, config.backbones, tokenizer=_tokenizer(config), about=about)
    write_card(out)
    table = Table(
        "left aside", "tensors", title=f"{imported.phase}: {len(imported.state)} tensors imported", title_justify="left"
    )
    reasons = list(imported.unneeded.values())
    for reason in dict.fromkeys(reasons):
        table.add_row(reason, str(reasons.count(reason)))
    console.print(table)
    console.print(f"{out}: `nano-emox info {out}`, `nano-emox predict CLIP --run {out}`", markup=False)


def export_run(
    run: Path, out: Path, *, phase: str | None, merge: bool, push: str | None, overrides: Sequence[str] = ()
) -> None:
    """A stage of a finished run as a folder; uploaded only with `push`."""
    settings = run / "config.yaml"
    if not settings.is_file():
        raise ConfigError(f"{run} holds no run (no config.yaml); `make phase3` makes one")
    config = configure(str(settings), overrides)
    chosen = phase or next((s for s in reversed(stages(config)) if all(p.is_file() for p in _boundaries(config, run, s))), "")
    if not chosen:
        raise ConfigError(f"{run} holds no finished phase; there is no boundary checkpoint such as {run / f'phase3{WEIGHTS}'}")
    names = stage(config, chosen)
    model = make_model(config, init_from=_boundaries(config, run, chosen))
    scores = run / "scores" / f"{chosen}.json"
    history = list(config.phases)[: list(config.phases).index(names[-1]) + 1]
    about = {
        "phase": chosen,
        "source": f"run {run.name}",
        "seed": config.seed,
        "modalities": config.phases[names[0]].evaluate_with,
        "data": {name: config.phases[name].data for name in history},
        "synthetic": config.data.synthetic,
        "metrics": json.loads(scores.read_text(encoding="utf-8"))["scores"] if scores.is_file() else {},
    }
    save_pretrained(
        model, out, config.model, config.backbones,
        tokenizer=load_tokenizer(config.backbones), about=about, merge=merge,
    )  # fmt: skip
    write_card(out)
    console.print(f"{chosen} of {run} is in {out}" + (", with LoRA merged" if merge else ""), markup=False)
    if push:
        console.print(f"uploaded to {push_to_hub(out, push)}", markup=False)


def open_folder(directory: Path, overrides: Sequence[str]) -> tuple[ExperimentConfig, NanoEmoX, PromptTokenizer, Sequence[str]]:
    """A folder with its towers, for questions; of `overrides`, `backbones.root` and `backbones.allow_download` count.

    Raises:
        ConfigError: the folder has no tokenizer.
    """
    about, settings = read_folder(directory)
    kept = replace(BackboneConfig(**about["backbones"]), allow_download=False)
    config = configure("paper", [f"backbones.root={kept.root}", *overrides])
    found = from_pretrained(directory, root=config.backbones.root, online=True, allow_download=config.backbones.allow_download)
    if found.prompts is None:
        raise ConfigError(f"{directory} has no tokenizer; import or export it again where the language model is")
    config = replace(config, model=settings, backbones=found.backbones)
    return config, found.model, found.prompts, about.get("modalities") or MODALITIES


def info(directory: Path) -> None:
    """Print what a folder is: phase, parts, parameters, data mixture, metrics, and the checkpoints that it needs."""
    about, config = read_folder(directory)
    console.print(
        f"[bold]{directory}[/]: {about.get('phase', 'phase not recorded')}, {about.get('source', 'source not recorded')}"
    )
    rows: dict[str, dict[str, Any]] = {
        "parameters": {part: f"{count:,}" for part, count in about["learned"].items()},
        "data mixture": {
            phase: ", ".join(f"{n} {w}" for n, w in sets.items()) for phase, sets in about.get("data", {}).items()
        },
        "metrics": {name: f"{value:.4f}" for name, value in about.get("metrics", {}).items()},
        "needs": towers_needed(about),
        "settings": {
            "prompt_style": config.prompt_style,
            "tokens": config.tokens,
            "LoRA": "merged" if about["merged"] else "apart",
        },
    }
    for title, row in rows.items():
        table = Table(Column(title), Column("", overflow="fold"), min_width=60)
        for name, value in row.items() if row else {"not recorded": ""}.items():
            table.add_row(name, str(value))
        console.print(table)


def _boundaries(config: ExperimentConfig, run: Path, name: str) -> list[Path]:
    return [run / path.name for path in checkpoints_of(config, stage(config, name))]


def _tokenizer(config: ExperimentConfig) -> Any:
    try:
        locate(config.backbones, ["language"])
    except FileNotFoundError:
        console.print("[yellow]the language model is not there, so the folder has no tokenizer; import again once it is[/]")
        return None
    return load_tokenizer(config.backbones)
