"""Several ranks: started as torchrun and as SLURM start them, moved over phase boundaries, sharded, extracting together."""

import json
import socket
from collections import Counter

import pytest
from safetensors.torch import load_file  # noqa: F401

from tests.faults import child
from tests.faults.runs import Life


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def torchrun(nodes: int = 1, per_node: int = 2) -> list[dict[str, str]]:
    """The environment of every process, as `torchrun` sets it."""
    port = free_port()
    return [
        {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": port, "GROUP_RANK": str(rank // per_node),
            "RANK": str(rank), "LOCAL_RANK": str(rank % per_node), "WORLD_SIZE": str(nodes * per_node),
            "LOCAL_WORLD_SIZE": str(per_node),
        }
        for rank in range(nodes * per_node)
    ]  # fmt: skip


def slurm(nodes: int = 2, per_node: int = 1) -> list[dict[str, str]]:
    """The environment of every process, as `srun` sets it."""
    port = free_port()
    return [
        {
            "SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "p2e", "SLURM_NTASKS": str(nodes * per_node),
            "SLURM_NTASKS_PER_NODE": str(per_node), "SLURM_NNODES": str(nodes), "SLURM_NODELIST": "127.0.0.1",
            "SLURM_NODEID": str(rank // per_node), "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank % per_node),
            "MASTER_PORT": port,
        }
        for rank in range(nodes * per_node)
    ]  # fmt: skip


def finish(lives: list[Life]) -> None:
    for life in lives:
        assert life.wait(300) == 0, life.said[-3000:]
