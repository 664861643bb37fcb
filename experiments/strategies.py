"""One process or many: the Trainer's strategy. Who starts the processes (Lightning itself, torchrun, SLURM) it finds out alone."""

from __future__ import annotations

import torch
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy

from nano_emox.config import ConfigError, ExperimentConfig


def make_strategy(config: ExperimentConfig, phases: int = 1) -> Strategy | str:
    """DDP where there are several processes; with `trainer.strategy=fsdp2`, sharded (see `NanoEmoX.configure_model`).

    Args:
        phases: how many this process trains.

    Raises:
        ConfigError: several phases are to be trained sharded, which only one a process can be.
    """
    processes = device_count(config) * config.trainer.num_nodes
    if config.trainer.strategy == "fsdp2":
        if phases > 1:
            raise ConfigError(
                "trainer.strategy=fsdp2 shards before it restores, so phases cannot change inside one process; run one phase a"
                " process: make phase1 phase2 phase3, or run=[phase2]"
            )
        # Full files on rank 0, as every other strategy writes them: a phase may go on under another one.
        return ModelParallelStrategy(data_parallel_size=processes, tensor_parallel_size=1, save_distributed_checkpoint=False)
    if processes == 1:
        return "auto"
    # A batch without any face has no use for the facial adapter, and another rank's batch may have one.
    return DDPStrategy(find_unused_parameters=True)


def device_count(config: ExperimentConfig) -> int:
    """Processes on one machine, as `trainer.devices` says: auto or -1 (all GPUs, or one process without), a number, a list."""
    asked = str(config.trainer.devices).strip("[] ")
    if asked in ("auto", "-1"):
        return 1 if config.trainer.accelerator == "cpu" else max(1, torch.cuda.device_count())
    return len(asked.split(",")) if "," in asked else int(asked)
