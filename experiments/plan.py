"""`nano-emox train --plan`: what each phase will hold in memory, and what fits; and, when it did not fit, what to turn.

Nothing is loaded and nothing runs: shapes come from the checkpoints' configurations, or from the published sizes where they
are not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from rich import box
from rich.table import Table

from callbacks.curriculum import train_only
from experiments.assembly import phases_of
from experiments.logs import console
from nano_emox.backbones import build_skeleton, dtype_of
from nano_emox.config import ConfigError, ExperimentConfig
from nano_emox.footprint import RESERVE, Footprint, cache_bytes, footprint

GPUS = (24, 48, 80)  # GB
SUPERVISED = 0.25  # of a row's tokens: the modelled mix of phase 3 has 91 of 360
GB = 1e9


def plan(config: ExperimentConfig, tokens: int | None = None) -> dict[str, Footprint]:
    """Print the table of the phases of `run`; returns their footprints.

    Args:
        tokens: of a row; `model.max_length`, the worst case, if it is not given.
    """
    tokens = tokens or config.model.max_length
    found = {}
    for phase in phases_of(config):
        # Built anew: measuring turns it to the activations' type.
        model = build_skeleton(config.backbones, replace(config.model, gradient_checkpointing=False))
        train_only(model, phase.trainable)
        rows = config.phases[phase.name].batch_size
        found[phase.name] = footprint(
            model, config.model, rows=rows, tokens=tokens, supervised=max(1, int(SUPERVISED * tokens)),
            dtype=dtype_of(config.backbones.dtype), autocast=compute_dtype(config.trainer.precision),
        )  # fmt: skip
    title = (
        f"Memory of one training step on one GPU, GB: {config.trainer.precision}, rows of {tokens} tokens"
        + (", layers recomputed" if config.model.gradient_checkpointing else "")
    )  # fmt: skip
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("phase", no_wrap=True, min_width=max(map(len, found)))
    for part in ("rows", "weights", "gradients", "AdamW", "activations", "loss", "total"):
        table.add_column(part, justify="right", overflow="fold")
    for size in GPUS:
        table.add_column(f"rows on {size} GB", justify="right", overflow="fold")
    for name, one in found.items():
        parts = (one.weights, one.gradients, one.optimizer, one.activations, one.loss, one.total)
        fits = [str(one.largest_batch(size * GB)) for size in GPUS]
        table.add_row(name, str(one.rows), *(f"{part / GB:.{1 if part >= 10 * GB else 2}f}" for part in parts), *fits)
    console.print(table)
    length = config.model.max_length + config.model.max_new_tokens
    cache = cache_bytes(model, config.evaluation.batch_size, length, dtype_of(config.backbones.dtype))
    console.print(
        f"Weights, gradients and optimizer are counted; activations are what autograd keeps of tensors without values, no prefix"
        f" shared; {RESERVE / GB:g} GB are left for the device itself. Evaluation: {cache / GB:.2f} GB of keys and values for"
        f" {config.evaluation.batch_size} answers of up to {length} tokens.",
        style="dim",
    )  # fmt: skip
    if config.data.features == "online":
        console.print("data.features=online: the towers come on top, see `nano-emox backbones parameters`", style="dim")
    return found


def compute_dtype(precision: str) -> torch.dtype:
    """What activations are computed in, by Lightning's name of the precision."""
    kind = precision.split("-")[0]
    return {"bf16": torch.bfloat16, "16": torch.float16}.get(kind, torch.float32)


@contextmanager
def out_of_memory_explained(config: ExperimentConfig) -> Iterator[None]:
    """Turn an allocation that failed into an error that names what to turn, with its present values.

    Raises:
        ConfigError: in place of torch's error, which stays its cause.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; a CPU's allocator raises it plain
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        phases = [phase.name for phase in phases_of(config)]
        sizes = ", ".join(f"phases.{name}.batch_size={config.phases[name].batch_size}" for name in phases)
        raise ConfigError(
            f"out of memory: {str(error).splitlines()[0]}\n"
            f"  smaller batches: {sizes}; with trainer.accumulate_grad_batches={config.trainer.accumulate_grad_batches} raised"
            " by the same factor the optimizer sees as many samples\n"
            f"  layers computed again in the backward pass: model.gradient_checkpointing={config.model.gradient_checkpointing}\n"
            f"  shorter rows: model.max_length={config.model.max_length}\n"
            f"  smaller numbers: trainer.precision={config.trainer.precision}, backbones.dtype={config.backbones.dtype}\n"
            "`nano-emox train --plan` with the same settings says what fits"
        ) from error
