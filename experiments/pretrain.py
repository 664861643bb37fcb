"""`make backbones`: tiny towers and a tiny language model, briefly pre-trained on the synthetic world, in the real layouts."""

from __future__ import annotations

import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import TQDMProgressBar
from rich.table import Table
from torch.utils.data import DataLoader

from data_modules.durable import write_atomically
from experiments.logs import calm, console
from nano_emox import tiny
from nano_emox.config import ConfigError, ExperimentConfig
from nano_emox.language_pretraining import LanguagePretraining, accuracy_by_task
from nano_emox.pretraining import TowerReport, pretrain_towers
from nano_emox.prompts import PromptTokenizer
from nano_emox.text_stream import TextStream, lines

BATCH = 16  # rows of text a step
TOKENIZER_SAMPLES = 6000


def make_backbones(config: ExperimentConfig) -> Path:
    """Build, pre-train and write the tiny backbones under `backbones.root`; returns the path of the report.

    Raises:
        ConfigError: the preset is not tiny: published checkpoints are downloaded, not made.
    """
    if config.backbones.preset != "tiny":
        raise ConfigError(f"backbones.preset: {config.backbones.preset!r} is downloaded, not made; see `nano-emox doctor`")
    root = Path(config.backbones.root)
    console.print("pre-training three towers and, beside them, a language model")
    # Towers and language model do not need each other: a thread each is worth more than two threads in turn.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with ProcessPoolExecutor(1, get_context("spawn"), _start_worker) as beside:
        pending = beside.submit(pretrain_towers, root, config.backbones.tower_steps, config.seed)
        language = _language(config, root)
        towers = pending.result()
    torch.set_num_threads(threads)
    _show(towers, language)
    report = {
        "towers": [{"modality": t.modality, "scores": t.scores, "seconds": t.seconds} for t in towers],
        "language": language,
    }
    target = root / "report.json"
    write_atomically(target, json.dumps(report, indent=2))
    return target


def _start_worker() -> None:
    calm()
    torch.set_num_threads(1)


def _language(config: ExperimentConfig, root: Path) -> dict[str, Any]:
    seed, steps = config.seed, config.backbones.language_steps
    tokenizer = tiny.train_tokenizer(lines(seed, TOKENIZER_SAMPLES))
    prompts = PromptTokenizer(tokenizer, config.model.tokens)
    seed_everything(seed, verbose=False)
    module = LanguagePretraining(tiny.new_language(tokenizer, seed + 3), steps)
    trainer = Trainer(
        accelerator=config.trainer.accelerator, devices=config.trainer.devices, max_epochs=1, limit_train_batches=steps, logger=False,
        enable_checkpointing=False, enable_model_summary=False, limit_val_batches=0, callbacks=[TQDMProgressBar(refresh_rate=10)],
    )  # fmt: skip
    started = time.perf_counter()
    trainer.fit(module, DataLoader(TextStream(prompts, BATCH, seed), batch_size=None, num_workers=1))
    seconds = time.perf_counter() - started
    module.cpu()
    scores = accuracy_by_task(module, prompts, seed=seed + 1_000_003)
    with torch.no_grad():
        tiny.write_language(module.model, tokenizer, root)  # type: ignore[arg-type]
    return {"steps": steps, "seconds": round(seconds, 1), "accuracy_from_cue_words": scores}


def _show(towers: list[TowerReport], language: dict[str, Any]) -> None:
    table = Table("backbone", "reached, on people it has not seen", "seconds", title="Tiny backbones", title_justify="left")
    for tower in towers:
        worst = min(tower.scores["last"].items(), key=lambda pair: pair[1])
        text = f"R² {tower.mean():.2f} of its attributes ({worst[0]} {worst[1]:.2f} is the worst)"
        table.add_row(tower.modality, text, f"{tower.seconds:.0f}")
    accuracies = ", ".join(f"{task} {score:.0%}" for task, score in language["accuracy_from_cue_words"].items())
    table.add_row("language", f"from cue words in place of clips: {accuracies}", f"{language['seconds']:.0f}")
    console.print(table)
