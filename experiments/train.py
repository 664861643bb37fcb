"""A run of the curriculum: configuration, data, model, callbacks, Trainer, fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.utilities import rank_zero_only
from rich.table import Table

from callbacks.accounting import EpochAccounting
from callbacks.curriculum import P2ECurriculum, Phase
from callbacks.resume import Generations, RunState
from callbacks.signals import StopOnSignal
from callbacks.stability import NonFiniteGuard
from data_modules.durable import append_line
from data_modules.loading import OVER_LONG
from experiments.accounting import AccountFile
from experiments.assembly import checkpoints_of, make_data, make_model, make_prompts, phases_of
from experiments.loggers import make_loggers
from experiments.logs import console
from experiments.plan import out_of_memory_explained
from experiments.progress import CurriculumProgress
from experiments.resume import identity_of, newest_checkpoint, resume_directory, start_over, tidy
from experiments.strategies import make_strategy
from nano_emox.batch import Batch
from nano_emox.checkpoint_io import WEIGHTS, DurableCheckpointIO
from nano_emox.config import ExperimentConfig, save
from nano_emox.model import NanoEmoX


def train(config: ExperimentConfig, *, fresh: bool = False) -> NanoEmoX:
    """Train `config.run` (all phases if it is empty); each leaves `<output>/<phase>.safetensors`: what was learned.

    A run that was cut goes on from its newest checkpoint as if it had not been. With `fresh` it starts over, and what was
    there is moved aside.

    Raises:
        ConfigError: there is a checkpoint, but of a run with other settings, data or processes; the differences are listed.
        NonFiniteError: three steps in a row could not be applied.
        CheckpointError: a checkpoint could not be written or read.
    """
    phases = phases_of(config)
    names = [phase.name for phase in phases]
    needed = [p for name in names for p in config.phases[name].init_from if p not in names]
    given = checkpoints_of(config, dict.fromkeys(needed))
    output = Path(config.output)
    stage = "p2e" if len(phases) > 1 else names[0]
    directory = resume_directory(config, stage)

    if getattr(rank_zero_only, "rank", 0) == 0:
        if fresh:
            start_over(config, stage, names)
        tidy(directory)
    generations = Generations(directory, config.trainer.checkpoint_every_n_steps)
    stop = StopOnSignal(generations, say=say_below_the_bar)
    with stop.listening():
        model = make_model(config, online=config.data.features == "online", init_from=given)
        data = make_data(config, phases, make_prompts(config))
        curriculum = P2ECurriculum(phases, output, seed=config.seed, suffix=WEIGHTS)
        state = RunState()
        trainer = Trainer(
            accelerator=config.trainer.accelerator,
            devices=config.trainer.devices,
            num_nodes=config.trainer.num_nodes,
            strategy=make_strategy(config, len(phases)),
            precision=config.trainer.precision,  # type: ignore[arg-type]
            gradient_clip_val=config.trainer.gradient_clip_val,
            accumulate_grad_batches=config.trainer.accumulate_grad_batches,
            log_every_n_steps=config.trainer.log_every_n_steps,
            max_epochs=curriculum.epochs,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            logger=make_loggers(config, stage),
            plugins=[DurableCheckpointIO()],
            callbacks=[
                state,
                curriculum,
                EpochAccounting(AccountFile(output / "accounting.jsonl"), config.data.max_skipped, allowed=(OVER_LONG,)),
                NonFiniteGuard(sample_names, partial(append_event, output / "nonfinite.jsonl")),
                CurriculumProgress(),
                LearningRateMonitor("step"),
                stop,
                generations,
            ],
        )
        state.identity = identity_of(config, names, data, given, trainer.world_size)
        checkpoint = None if fresh else newest_checkpoint(directory, state.identity)
        finished = checkpoint is not None and show_place(checkpoint, phases)
        save(config, output / "config.yaml")
        with out_of_memory_explained(config):
            trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if trainer.is_global_zero and not finished:
        show_trained(curriculum, model)
    return model


def say_below_the_bar(text: str) -> None:
    """Print a line of its own: a progress bar leaves the cursor at its end."""
    console.print(f"\n{text}", markup=False, soft_wrap=True)


@rank_zero_only
def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def show_place(checkpoint: Path, phases: Sequence[Phase]) -> bool:
    """Say where a run goes on; returns whether nothing is left of it to train."""
    batches = int(checkpoint.stem.partition("=")[2])
    for phase in phases:
        if batches < phase.total_steps:
            epoch, batch = divmod(batches, phase.steps_per_epoch)
            _say(
                f"going on from {checkpoint}: {phase.name}, epoch {epoch + 1} of {phase.epochs},"
                f" batch {batch + 1} of {phase.steps_per_epoch}"
            )
            return False
        batches -= phase.total_steps
    _say(
        f"{', '.join(phase.name for phase in phases)}: finished before ({checkpoint}); nothing is trained. --fresh starts over"
    )
    return True


def sample_names(batch: Batch) -> list[str]:
    """`dataset/id` of every row, as messages name samples."""
    return [f"{item.sample.dataset}/{item.sample.id}" for item in batch.items]


def append_event(path: Path, event: Mapping[str, Any]) -> None:
    """One JSON object more, on disk before training goes on."""
    append_line(path, json.dumps(event).encode())


def show_trained(curriculum: P2ECurriculum, model: NanoEmoX) -> None:
    """Print which parameters each phase trained."""
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    table = Table(
        "phase", "trained", "parameters", title="What trained; everything else is bit-equal to before", title_justify="left"
    )
    for phase, names in curriculum.trained.items():
        parts = dict.fromkeys(f"{n.split('.')[0]} (LoRA)" if "lora_" in n else n.split(".")[0] for n in names)
        table.add_row(phase, ", ".join(parts), f"{sum(sizes[n] for n in names):,} of {sum(sizes.values()):,}")
    console.print(table)
