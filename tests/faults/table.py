"""The table of faults, and the page that `make faults` writes with it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from data_modules.durable import write_atomically

PAGE = """# A run that cannot be lost

{how}
## What was done to it, and what came out

Written by `pytest tests/faults --faults={form} --faults-page=docs/reliability.md` on {date} (`make faults` is the long form). Every row is a
test in `tests/faults/`, which fails where the outcome is another.

| fault | where | times | outcome |
|---|---|---|---|
{rows}
"""
HOW = """A run is days on machines that other people also use. It is killed, requeued, runs out of disk, meets a broken clip or a NaN, and goes on
as if nothing had happened: the weights at its end are bit-equal to those of a run that nobody disturbed.

## After a kill

Give the same command again: `make phase2`, `nano-emox train ...`. It continues from the newest checkpoint. `make phase2 FRESH=1` or
`nano-emox train --fresh ...` starts over; what was there is moved to `<output>/aside/1`, and the command says so.

A run goes on only as itself. Every checkpoint carries what the run's numbers depend on: the settings, a digest of the samples listed for
training, of the frozen checkpoints and of the weights it started from, and the number of processes. If any of these is another now, the
command is refused, and the message lists every difference with its old and its new value. `nano_emox/identity.py` names what may change
(where things lie, logging, loader workers, evaluation, the number of answers' tokens), each with the reason why it does no harm.

## How it works

| part | where | what |
|---|---|---|
| checkpoints | `callbacks/resume.py`, `Generations` | after every `trainer.checkpoint_every_n_steps` optimizer steps and at every epoch's end: `<output>/resume/<stage>/batch=*.ckpt`, the newest two. A damaged one is named and passed over for the one before |
| state | Lightning, and `callbacks/resume.py`, `RunState` | model, optimizer, schedule, scaler, loops; of every rank the random generators (Python, numpy, torch, CUDA) and, between two batches of an accumulation, the gradients |
| data | `data_modules/mixture.py` | what is drawn is a function of seed, epoch and position alone; the loader keeps its position and skips without reading |
| phase | `callbacks/curriculum.py` | named in the checkpoint, begun before optimizers are built, so names and groups are those of the phase |
| files | `nano_emox/checkpoint_io.py` | written beside the target, synced, renamed, the directory synced; checked by checksum when read; read without unpickling code. A phase's result is `<phase>.safetensors`: weights alone, equal weights are equal files |
| full disk | the same | the run stops with path, bytes needed and bytes free; the older checkpoints are untouched |
| NaN, infinity | `callbacks/stability.py` | the step is not applied (no rank applies it), its sample ids go to `<output>/nonfinite.jsonl`, data and schedule go on; three in a row stop the run. A checkpoint with a weight that is not finite is refused |
| signals | `callbacks/signals.py` | SIGTERM and SIGINT: a checkpoint after the batch at hand, exit 143 or 130. A second Ctrl+C stops at once, and leaves the checkpoints that are there |
| SLURM | the same | `#SBATCH --signal=USR1@90`: a checkpoint, `scontrol requeue`, and the job goes on when it runs again |
| accounting | `callbacks/accounting.py` | at every epoch's end, over workers, ranks and lives: seen + skipped by reason = listed, checked, logged, and one row in `<output>/accounting.jsonl`. More than `data.max_skipped` (1 %) unreadable is an error, as soon as it is certain. Of a training batch with nothing readable, the next readable sample of the data set takes the place, and is counted as `substituted` |
| loader workers | `data_modules/workers.py` | each notes what it reads in shared memory; one that dies, or gives nothing for `data.timeout` (120) seconds, is an error that names sample and file |
| feature store | `data_modules/features.py` | a shard appears whole, and is read only after its checksum has been compared, once a run; a damaged one is an error until `nano-emox features --verify` drops it and extracts its clips again. A killed extraction continues; any number of ranks and processes write at once |
| ranks | `experiments/strategies.py` | DDP, started by Lightning, `torchrun` or SLURM (`trainer.devices`, `trainer.num_nodes`), with phase boundaries in one process; `trainer.strategy=fsdp2` shards the language model's layers, one phase a process, and writes the same full files |
| logs | `experiments/metrics_log.py`, `guarded_wandb.py` | every logged row is on the disk before the next (`<output>/logs/<stage>/metrics.jsonl`); W&B runs in a thread of its own, one run for all lives (`wandb_run.json`): where its server does not answer, or its service dies, the run is recorded offline and goes on |

Two limits. A signal that comes in validation is obeyed when the epoch ends; validation that takes longer than 20 seconds more is given up,
and the steps since the last checkpoint are repeated. And bit-equality is of one machine's arithmetic: on a GPU it holds where the kernels
are deterministic; order, draws and schedule are exact everywhere.

"""


@dataclass(frozen=True)
class Row:
    """A fault, where it struck, how often, and what was measured."""

    fault: str
    where: str
    count: int
    outcome: str


def append_row(path: Path, row: Row) -> None:
    """Add a row to a JSONL file that several processes may append to: one write, at the end."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(handle, json.dumps(asdict(row)).encode() + b"\n")
    finally:
        os.close(handle)


def read_rows(path: Path) -> list[Row]:
    """All rows, by fault."""
    rows = [Row(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
    return sorted(rows, key=lambda row: (row.fault, row.where))


def write_page(path: Path, rows: list[Row], form: str) -> None:
    """The page, whole or not at all."""
    lines = [f"| {row.fault} | {row.where} | {row.count} | {row.outcome} |" for row in rows]
    write_atomically(path, PAGE.format(how=HOW, form=form, date=time.strftime("%Y-%m-%d"), rows="\n".join(lines)))
