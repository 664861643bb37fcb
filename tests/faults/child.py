"""What runs inside the processes under test. Imported once by the fork server: everything slow is imported here."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from tqdm import tqdm

import experiments.extract
import experiments.train
from callbacks.feature_writer import FeatureWriter
from data_modules.datasets import load_samples
from data_modules.inputs import MediaInputs, StoredFeatures
from data_modules.record import Sample
from data_modules.synthetic.corpus import write_corpus
from experiments import cli
from experiments.assembly import configure, make_inputs
from experiments.extract import extract
from nano_emox import tiny
from nano_emox.config import save
from nano_emox.model import NanoEmoX
from nano_emox.text_stream import lines

PHASES = ("phase1_speech", "phase1_visual", "phase2", "phase3")
SHORT = [
    f"phases.{phase}.{key}={value}"
    for phase in PHASES
    for key, value in (("epochs", 2), ("steps_per_epoch", 4), ("batch_size", 2))
]  # 32 optimizer steps in all


def begin(target: Callable[..., Any], arguments: Sequence[Any], output: str, env: dict[str, str]) -> None:
    """Start of every process: its own output and environment, then `target`."""
    os.environ.update(env)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    target(*arguments)


def overrides(root: Path) -> list[str]:
    """Of a run in the world that lies in `root`."""
    return [
        f"data.root={root / 'data'}",
        f"backbones.root={root / 'weights'}",
        f"cache={root / 'features'}",
        "wandb.mode=disabled",
        "data.workers=0",
        "trainer.threads=1",  # tests run side by side, and some of them fork
        "seed=5",
        *SHORT,
    ]


def make_world(root: Path) -> None:
    """A small corpus, untrained tiny backbones, their features, and `preset.yaml`, which names them all."""
    flush_often()
    write_corpus(root / "data", seed=5, clips=40, workers=1, progress=False)
    tiny.save_tiny(root / "weights", 5, lines(5, 400), vocabulary=1024)
    config = configure("tiny", [*overrides(root), f"output={root / 'first'}"])
    extract(config)
    save(config, root / "preset.yaml")  # one file is read faster than so many overrides


def command(arguments: list[str], draws: str, inject: str) -> None:
    """The real entry point, with an observer among the Trainer's callbacks."""
    tqdm.set_lock(threading.RLock())  # its own would be a semaphore, which a killed process leaves behind
    experiments.train.Trainer = partial(_watched, draws=Path(draws))  # type: ignore[misc, assignment]
    if inject:
        name, *values = inject.split(":")
        globals()[name](*values)
    sys.argv = ["nano-emox", *arguments]
    cli.main()


def _watched(*, callbacks: list[Callback], draws: Path, **options: Any) -> Trainer:
    return Trainer(callbacks=[*callbacks, DrawLog(draws)], **options)


class DrawLog(Callback):
    """Writes down what every batch was trained on, and with what optimizer, once it has been trained on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        names = {parameter: name for name, parameter in pl_module.named_parameters()}
        groups = [
            {key: [names[p] for p in value] if key == "params" else value for key, value in group.items()}
            for group in trainer.optimizers[0].param_groups
        ]
        row = {
            "life": os.getpid(),
            "batch": trainer.fit_loop.total_batch_idx,
            "step": trainer.global_step,
            "phase": pl_module.phase.name,
            "rank": trainer.global_rank,
            "samples": [f"{item.sample.dataset}/{item.sample.id}/{item.task.value}" for item in batch.items],
            "trainable": zlib.crc32(repr([n for n, p in pl_module.named_parameters() if p.requires_grad]).encode()),
            "groups": zlib.crc32(json.dumps(groups, sort_keys=True).encode()),  # learning rates among them
        }
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


class RankDifferences(Callback):
    """Rank 0 writes down the largest difference between ranks in any parameter, after every batch and at every epoch's end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        self._compare(trainer, pl_module, "batch")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        self._compare(trainer, pl_module, "epoch")

    def _compare(self, trainer: Trainer, module: Any, when: str) -> None:
        own = torch.cat([p.detach().double().flatten() for p in module.parameters()])
        low, high = own.clone(), own.clone()
        torch.distributed.all_reduce(low, torch.distributed.ReduceOp.MIN)
        torch.distributed.all_reduce(high, torch.distributed.ReduceOp.MAX)
        if trainer.is_global_zero:
            row = {"phase": module.phase.name, "when": when, "step": trainer.global_step, "largest": float((high - low).max())}
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")


def compare_ranks(path: str) -> None:
    """Injected: put `RankDifferences` among the callbacks, behind the curriculum."""
    make = experiments.train.Trainer

    def watched(*, callbacks: list[Callback], **options: Any) -> Trainer:
        return make(callbacks=[*callbacks, RankDifferences(Path(path))], **options)

    experiments.train.Trainer = watched  # type: ignore[assignment, misc]


# What `inject` may name: faults inside the process.


def slow_disk(seconds: str) -> None:
    """Every sync takes a while longer, so that a save has a duration that a signal can hit."""
    sync = os.fsync

    def slow(handle: int) -> None:
        time.sleep(float(seconds))
        sync(handle)

    os.fsync = slow


def nan_loss(*steps: str) -> None:
    """The loss of these optimizer steps (from 0) is NaN."""
    step = NanoEmoX.training_step

    def broken(self: NanoEmoX, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = step(self, batch, batch_idx)
        return loss * float("nan") if str(self.trainer.global_step) in steps else loss

    NanoEmoX.training_step = broken  # type: ignore[method-assign]


def nan_gradient(*steps: str) -> None:
    """One element of one gradient is infinite in these optimizer steps."""

    def broken(self: NanoEmoX) -> None:
        if str(self.trainer.global_step) in steps:
            next(p.grad for p in self.parameters() if p.grad is not None).view(-1)[0] = float("inf")

    NanoEmoX.on_after_backward = broken  # type: ignore[method-assign, assignment]


def spoil_features(world: Path, cache: Path, name: str) -> None:
    """A copy of the feature store in which one clip's visual features are NaN."""
    shutil.copytree(world / "features", cache)
    config = configure(str(world / "preset.yaml"), [f"cache={cache}"])
    inputs = make_inputs(config, ("visual", "face", "speech"))
    assert isinstance(inputs, StoredFeatures)
    dataset, sample_id = name.split("/")[:2]
    sample = next(s for s in load_samples(dataset, config.data.root, "train") if s.id == sample_id)
    inputs.prepare([sample])
    space, spoilt = inputs.spaces["visual"], inputs.keys(sample.media)
    indices = [path for path in space.directory.glob("*.json") if path.name != "space.json"]
    keys = [key for path in indices for entry in [json.loads(path.read_text())] for key in (*entry["keys"], *entry["absent"])]
    records = {key: space.read(key) for key in keys}
    records[spoilt] = {feature: torch.full_like(value, float("nan")) for feature, value in records[spoilt].items()}
    for path in (*indices, *space.directory.glob("*.safetensors")):
        path.unlink()
    again = make_inputs(config, ("visual", "face", "speech"))
    assert isinstance(again, StoredFeatures)
    again.spaces["visual"].write(records)


def flush_often() -> None:
    """Injected: features reach the store every eight clips, so that a small corpus makes many shards."""
    experiments.extract.FeatureWriter = partial(FeatureWriter, every=8)  # type: ignore[misc, assignment]


def slow_reading(path: str) -> None:
    """Injected: every clip takes a quarter of a second to read, and the process that reads writes its number down."""
    multiprocessing.set_start_method("fork", force=True)  # as in any process that no fork server has started
    read = MediaInputs.read_clips

    def slow(self: MediaInputs, sample: Sample) -> torch.Tensor:
        Path(path).write_text(str(os.getpid()))
        time.sleep(0.25)
        return read(self, sample)

    MediaInputs.read_clips = slow  # type: ignore[method-assign]
