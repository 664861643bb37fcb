"""Calm logs: what a normal run need not say is silenced here, and nowhere else."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")})


@dataclass
class _WithoutControls:
    """A renderable of which terminals get the text alone: subtitles and names come from files of others."""

    renderable: Any

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.renderable, options):
            yield segment if segment.control else Segment(segment.text.translate(_CONTROLS), segment.style)


class _NoControls(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_WithoutControls(renderable) for renderable in renderables]


console = Console(highlight=False)
console.push_render_hook(_NoControls())


def calm() -> None:
    """Silence what a normal run need not say: adverts, hardware tables, hints about loader workers."""
    for name in ("lightning.pytorch", "lightning.fabric", "transformers", "torch.distributed", "wandb", "PIL", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*num_workers.*",
        ".*log_every_n_steps.*",
        ".*Checkpoint directory.*",
        ".*tensorboardX.*",
        ".*in eval mode at the start of training.*",
        ".*isinstance.*treespec.*",
        ".*LeafSpec.*",
        ".*lr_scheduler.step.*",
        ".*No `ckpt_path`.*",
        ".*ckpt_path=.last.*",
        ".*batch_size from an ambiguous.*",
        ".*no `val_dataloader`.*",
        ".*persistent_workers.*",
        ".*sync_dist=True.*",  # what is logged here is summed over ranks before
    ):
        warnings.filterwarnings("ignore", message=message)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP's hint that a batch happened to use every parameter
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else also an offline run sends W&B reports about itself
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
