"""A run of the curriculum: configuration, data, model, callbacks, Trainer, fit."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from rich.table import Table

from callbacks.curriculum import P2ECurriculum
from experiments.assembly import checkpoints_of, make_data, make_model, make_prompts, phases_of
from experiments.loggers import make_loggers
from experiments.logs import console
from experiments.plan import out_of_memory_explained
from experiments.progress import CurriculumProgress
from nano_emox.config import ExperimentConfig, save
from nano_emox.model import NanoEmoX


def train(config: ExperimentConfig) -> NanoEmoX:
    """Train `config.run` (all phases if it is empty); each leaves `<output>/<phase>.ckpt`, which holds what was learned."""
    phases = phases_of(config)
    names = [phase.name for phase in phases]
    needed = [p for name in names for p in config.phases[name].init_from if p not in names]
    output = Path(config.output)

    model = make_model(config, online=config.data.features == "online", init_from=checkpoints_of(config, dict.fromkeys(needed)))
    save(config, output / "config.yaml")
    data = make_data(config, phases, make_prompts(config))
    curriculum = P2ECurriculum(phases, output, seed=config.seed)
    stage = "p2e" if len(phases) > 1 else names[0]
    trainer = Trainer(
        accelerator=config.trainer.accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.num_nodes,
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
        callbacks=[
            curriculum,
            CurriculumProgress(),
            LearningRateMonitor("step"),
            ModelCheckpoint(output / "resume" / stage, save_last=True, filename="{epoch}"),
        ],
    )
    with out_of_memory_explained(config):
        trainer.fit(model, datamodule=data, ckpt_path="last", weights_only=True)
    if trainer.is_global_zero:
        show_trained(curriculum, model)
    return model


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
