"""The full-size model: parameters by part, and one whole step with random weights, on whatever machine this is."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from rich.table import Table

from callbacks.curriculum import train_only
from data_modules.record import Item, Media, Sample, Task
from experiments.assembly import stage, stages
from experiments.logs import console
from nano_emox import tiny
from nano_emox.backbones import build_random, parameter_table
from nano_emox.batch import Batch, Collator
from nano_emox.config import ExperimentConfig
from nano_emox.model import NanoEmoX
from nano_emox.prompts import PromptTokenizer

Result = TypeVar("Result")
PUBLISHED = 2.2e9  # parameters, the paper's abstract; it does not say what is counted
ACCOUNTS = {
    "everything": (),
    "without LoRA and the face tower": ("lora", "facial_encoder"),
}


def parameter_report(config: ExperimentConfig, *, run: bool = False) -> None:
    """Print the table; with `run`, also do one forward and backward pass of the last phase."""
    counts = parameter_table(config.backbones.preset, config.model)
    table = Table(
        "part", "parameters", title=f"{config.backbones.preset} preset, counted on the meta device", title_justify="left"
    )
    for name, count in counts.items():
        if name not in ("total", "lora"):
            table.add_row(name, f"{count:,}")
    table.add_section()
    table.add_row("of which LoRA", f"{counts['lora']:,}")
    table.add_row("[bold]total[/]", f"[bold]{counts['total']:,}[/]")
    console.print(table)
    if config.backbones.preset == "paper":
        for what, left_out in ACCOUNTS.items():
            count = counts["total"] - sum(counts[part] for part in left_out)
            console.print(f"{what}: {count / 1e9:.3f}B, {count / PUBLISHED - 1:+.1%} of the published 2.2B")
    if run:
        one_step(config)


def one_step(config: ExperimentConfig) -> None:
    """One step of the last phase with random weights and random media: forward, loss, backward, gradient norms."""
    device = torch.device("cuda" if torch.cuda.is_available() and config.trainer.accelerator != "cpu" else "cpu")
    model = timed("built with random weights", lambda: build_random(config.backbones.preset, config.model).to(device))
    phase = config.phases[stage(config, stages(config)[-1])[0]]
    names = train_only(model, phase.trainable)
    batch = random_batch(config).to(device)
    loss = timed("forward", lambda: forward(model, batch, device))
    timed("backward", loss.backward)
    parameters = dict(model.named_parameters())
    reached = [name for name in names if parameters[name].grad is not None and bool(parameters[name].grad.isfinite().all())]  # type: ignore[union-attr]
    frozen = [name for name, parameter in parameters.items() if name not in set(names) and parameter.grad is not None]
    console.print(f"loss {loss.item():.3f} on {tuple(batch.input_ids.shape)} tokens with all four blocks")
    console.print(f"finite gradients in {len(reached)} of {len(names)} trainable tensors; in {len(frozen)} frozen ones")
    if device.type == "cuda":
        console.print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on the GPU")
    else:
        console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def forward(model: NanoEmoX, batch: Batch, device: torch.device) -> torch.Tensor:
    """The loss under bf16 autocast, as the paper preset trains."""
    with torch.autocast(device.type, torch.bfloat16):
        losses, _ = model(batch)
    loss: torch.Tensor = losses.loss
    return loss


def random_batch(config: ExperimentConfig) -> Batch:
    """One sample with picture, sound and words; the tokenizer is a stand-in, its ids lie in the real vocabulary."""
    model = config.model
    draw = torch.Generator().manual_seed(config.seed)
    text = "The person feels calm and a little surprised about the news."
    sample = Sample(
        "random",
        "random",
        "train",
        (Task.ERI,),
        Media(video=Path("random.mp4")),
        subtitle="I did not expect that.",
        description=text,
    )
    inputs = {
        "frames": torch.randint(256, (model.frames, 3, model.frame_size, model.frame_size), generator=draw, dtype=torch.uint8),
        "clips": torch.randn(model.clips, int(model.clip_seconds * 16_000), generator=draw),
    }
    prompts = PromptTokenizer(tiny.train_tokenizer([text], 400), model.tokens)
    return Collator(prompts, max_length=model.max_length)([Item(sample, Task.ERI, 0, inputs)])


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Do it, and print how long it took."""
    started = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    console.print(f"{what}: {time.perf_counter() - started:.1f} s")
    return result
