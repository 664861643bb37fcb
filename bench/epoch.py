"""An epoch of each phase on the tiny preset, end to end: media files, towers and batches of three, or the real run.

Ours is the command's own: `make_data`, the Trainer with the curriculum's callback, validation, the boundary checkpoint. The
reference is a bare loop over two decoding workers, without any of that. Extraction, which ours needs once before the first
of all epochs, is timed apart.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, Dataset

from bench.reference import ReferencePath, UnreadInputs
from bench.timing import Ratio, ratio, round_robin, seconds
from callbacks.curriculum import P2ECurriculum, train_only
from data_modules.inputs import MediaInputs
from data_modules.mixture import Mixture, choose_task
from data_modules.record import Item, Sample, Task
from data_modules.synthetic.corpus import write_corpus
from experiments.assembly import configure, make_data, make_model, make_prompts, media_inputs, phase_samples, phases_of
from experiments.extract import extract
from nano_emox import tiny
from nano_emox.config import ExperimentConfig
from nano_emox.text_stream import lines

PHASES = ("phase1_speech", "phase1_visual", "phase2", "phase3")
BATCH = 3  # released
SEED = 5


def measure(directory: Path, rounds: int, *, clips: int = 160, steps: int | None = None) -> Iterator[Ratio]:
    """`epoch.tiny`, one epoch of each phase together, and each alone; the same number of draws from the same mixtures.

    Args:
        steps: of an epoch; None are as many as the preset's epochs have.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        once = seconds(lambda: extract(run_of(directory, PHASES[-1], steps, clips)))
        first = run_of(directory, PHASES[0], 1, clips)  # imports and a process's first kernels are no epoch's
        reference_epoch(first, PHASES[0], BATCH)
        our_epoch(first)
        theirs, own = [0.0] * rounds, [0.0] * rounds
        for phase in PHASES:
            config = run_of(directory, phase, steps, clips)
            draws = config.phases[phase].batch_size * config.phases[phase].steps_per_epoch
            paths = {"reference": partial(reference_epoch, config, phase, draws), "ours": partial(our_epoch, config)}
            taken = round_robin(paths, rounds, warm_up=False)
            yield ratio(f"epoch.tiny_{phase}", taken["reference"], taken["ours"], note=f"{draws} draws")
            theirs = [total + one for total, one in zip(theirs, taken["reference"], strict=True)]
            own = [total + one for total, one in zip(own, taken["ours"], strict=True)]
    note = f"the four together; ours with Trainer, validation and checkpoints; extraction, once for all epochs: {once:.1f} s"
    yield ratio("epoch.tiny", theirs, own, note=note)


def our_epoch(config: ExperimentConfig) -> None:
    """From nothing to the boundary checkpoint."""
    shutil.rmtree(config.output, ignore_errors=True)
    model = make_model(config)
    phases = phases_of(config)
    curriculum = P2ECurriculum(phases, config.output, seed=config.seed)
    trainer = Trainer(
        accelerator=config.trainer.accelerator, devices=config.trainer.devices, precision=config.trainer.precision,  # type: ignore[arg-type]
        gradient_clip_val=config.trainer.gradient_clip_val, max_epochs=curriculum.epochs, reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False, num_sanity_val_steps=0, enable_model_summary=False, enable_progress_bar=False,
        enable_checkpointing=False, logger=False, callbacks=[curriculum],
    )  # fmt: skip
    trainer.fit(model, datamodule=make_data(config, phases, make_prompts(config)))


def reference_epoch(config: ExperimentConfig, phase: str, draws: int) -> None:
    """Batches of three of one data set each, decoded by two workers, through towers, all logits and AdamW."""
    settings = config.phases[phase]
    model = make_model(config, online=True)
    train_only(model, settings.trainable)
    path = ReferencePath(model, make_prompts(config), settings.modalities)
    path.prepare()
    optimizer = path.optimizer()
    groups, _ = phase_samples(config, settings)
    tasks = {name: {Task(task): weight for task, weight in shares.items()} for name, shares in settings.tasks.items()}
    steps = -(-draws // BATCH)
    sizes = {name: len(samples) for name, samples in groups.items()}
    which = Mixture(sizes, settings.data, SEED).epoch(0, steps)
    flat = [(name, index) for name, samples in groups.items() for index in range(len(samples))]
    batches = []
    for first in which:
        name, index = flat[int(first)]
        batches.append([(name, groups[name][(index + offset) % len(groups[name])]) for offset in range(BATCH)])
    reader = _Reader(batches, media_inputs(config, settings.modalities), UnreadInputs(config.model.frame_size), tasks)
    for items in DataLoader(reader, batch_size=None, num_workers=2, multiprocessing_context="fork"):
        path.step(items, optimizer)


class _Reader(Dataset[list[Item]]):
    def __init__(
        self,
        batches: Sequence[Sequence[tuple[str, Sample]]],
        media: MediaInputs,
        unread: UnreadInputs,
        tasks: Mapping[str, Mapping[Task, float]],
    ) -> None:
        self.batches, self.media, self.unread, self.tasks = batches, media, unread, tasks

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[Item]:
        torch.set_num_threads(1)
        return [self._item(sample, name) for name, sample in self.batches[index]]

    def _item(self, sample: Sample, name: str) -> Item:
        inputs = self.media(sample)
        self.unread(inputs)
        return Item(sample, choose_task(sample, self.tasks.get(name), SEED, 0), 0, inputs)


def run_of(directory: Path, phase: str, steps: int | None = None, clips: int = 160) -> ExperimentConfig:
    """A run of one epoch of one phase on the tiny preset; its corpus and backbones are made where they are missing."""
    data, weights = directory / f"corpus-{clips}", tiny_weights(directory)
    write_corpus(data, seed=SEED, clips=clips, workers=2, progress=False)
    threads = torch.get_num_threads()
    config = configure(
        "tiny",
        [
            f"data.root={data}", f"backbones.root={weights}", f"cache={directory / 'epoch-features'}", "data.workers=0",
            f"output={directory / 'epoch-run'}", f"seed={SEED}", f"run=[{phase}]", f"phases.{phase}.epochs=1",
            "wandb.mode=disabled", *([f"phases.{phase}.steps_per_epoch={steps}"] if steps else []),
        ],
    )  # fmt: skip
    torch.set_num_threads(threads)
    return config


def tiny_weights(directory: Path) -> Path:
    """Untrained tiny backbones."""
    weights = directory / "tiny-weights"
    if not weights.is_dir():
        tiny.save_tiny(weights, SEED, lines(SEED, 400), vocabulary=1024)
    return weights
