"""Calm logs: what a normal run need not say is silenced here, and nowhere else."""

from __future__ import annotations

import logging
import os
import warnings

from rich.console import Console

console = Console(highlight=False)


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
    ):
        warnings.filterwarnings("ignore", message=message)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
