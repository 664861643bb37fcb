"""The end of a run: what each phase gave, what each modality gives, results.json, and the pictures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import WandbLogger

from data_modules.inputs import InputReader
from data_modules.media import read_frames
from data_modules.record import Item, Sample, Task
from experiments.assembly import (
    checkpoints_of,
    device_of,
    found_datasets,
    make_inputs,
    make_lexicon,
    make_model,
    make_prompts,
    phases_of,
    stage,
    stages,
)
from experiments.evaluate import answer, benchmark_samples, digest_of
from experiments.loggers import make_loggers
from experiments.logs import console
from experiments.metrics_log import read_metrics
from nano_emox.batch import Collator
from nano_emox.config import ConfigError, ExperimentConfig, to_dict
from nano_emox.evaluation import pictures
from nano_emox.evaluation.contact_sheet import Cell, contact_sheet
from nano_emox.evaluation.errors import compared
from nano_emox.evaluation.predictions import Prediction, read_predictions
from nano_emox.evaluation.results import write_results
from nano_emox.evaluation.scores import chance_levels, score_predictions
from nano_emox.evaluation.tables import ablation_table, score_table
from nano_emox.metrics.lexicon import Lexicon
from nano_emox.model import NanoEmoX
from nano_emox.predict import Predictor

ABLATION = {
    "text": ["text"],
    "speech": ["speech"],
    "face": ["face"],
    "visual": ["visual"],
    "no_fusion": ["visual", "face", "speech", "text"],
    "all": ["visual", "face", "speech", "fusion", "text"],
}


def report(config: ExperimentConfig) -> Path:
    """Ablate, print the tables, write `results.json` and the pictures; returns the path of the results."""
    output = Path(config.output)
    records = {name: _scores(output, name) for name in stages(config)}
    scores = {name: record["scores"] for name, record in records.items()}
    last = list(records)[-1]
    predictions = read_predictions(Path(records[last]["predictions"]))
    chance = chance_levels(predictions, make_lexicon(config))
    checkpoints = checkpoints_of(config, stage(config, last))
    model = make_model(config, online=config.data.features == "online", init_from=checkpoints).to(device_of(config))
    inputs = make_inputs(config, ABLATION["all"])
    names, _ = found_datasets(config, config.evaluation.ablation)
    samples = benchmark_samples(config, names)
    ablation = ablate(config, model, samples, inputs, output / "predictions", digest_of(checkpoints))
    drawn = draw(config, model, inputs, scores, chance, ablation, predictions)
    results = write_results(
        output / "results.json", scores=scores, ablation=ablation, chance=chance, seed=config.seed,
        lexicon=make_lexicon(config).name, synthetic=config.data.synthetic, config=to_dict(config),
        extra={"by_dataset": {name: record["by_dataset"] for name, record in records.items()}},
    )  # fmt: skip
    latest = Path("outputs/latest")
    if output.resolve().is_relative_to(Path("outputs").resolve()):
        latest.unlink(missing_ok=True)
        latest.symlink_to(output.resolve().relative_to(latest.parent.resolve()))
    log(config, scores, ablation, drawn)
    world = " (synthetic people, tiny backbones)" if config.data.synthetic else ""
    console.print(score_table(scores, chance, title=f"What each phase gave, in %{world}"))
    console.print(ablation_table(ablation, title=f"What each modality gives after {last}, on {', '.join(names)}"))
    for path in [results, *drawn]:
        console.print(f"  {path}", soft_wrap=True)
    return results


def ablate(
    config: ExperimentConfig, model: NanoEmoX, samples: Sequence[Sample], inputs: InputReader, directory: Path, digest: str
) -> dict[str, dict[str, float]]:
    """The final model, shown a part of each clip only."""
    result = {}
    prompts = make_prompts(config)
    for name, modalities in ABLATION.items():
        predictor = Predictor(
            model,
            prompts,
            modalities=modalities,
            max_new_tokens=config.model.max_new_tokens,
            max_length=config.model.max_length,
        )
        log = directory / f"ablation-{name}-{digest}.jsonl"
        predictions = answer(predictor, samples, inputs, log, config.evaluation.batch_size, f"given {name} only")
        result[name] = score_predictions(predictions, make_lexicon(config))
    return result


def draw(
    config: ExperimentConfig, model: NanoEmoX, inputs: InputReader, scores: dict[str, dict[str, float]],
    chance: dict[str, float], ablation: dict[str, dict[str, float]], predictions: Sequence[Prediction],
) -> list[Path]:  # fmt: skip
    """All pictures of a run; returns their paths."""
    folder = Path(config.output) / "pictures"
    note = "synthetic corpus, tiny backbones" if config.data.synthetic else ""
    benchmarks, _ = found_datasets(config, config.evaluation.benchmarks)
    by_id = {(s.dataset, s.id): s for s in benchmark_samples(config, benchmarks)}
    mer = [p for p in predictions if p.task == Task.MER]
    drawn = [pictures.task_scores(scores, chance, folder / "scores_by_phase.png", note=note)]
    curves = training_log(config)
    if curves:
        drawn.append(pictures.training_curves(curves, folder / "training.png", note=note))
    drawn.append(pictures.ablation_bars(ablation, folder / "modalities.png", chance=chance.get("mer.hit_rate"), note=note))
    if mer:
        drawn.append(
            pictures.confusion_matrix(
                [p.gold_label or "" for p in mer], [p.label for p in mer], folder / "confusion.png", note=note
            )
        )
        gates = gate_weights(config, model, [by_id[p.dataset, p.id] for p in mer], inputs)
        experts = [
            f"speech {s}, visual {v}" for s, v in zip(config.model.speech_layers, config.model.visual_layers, strict=True)
        ]
        drawn.append(pictures.gate_weights(gates, folder / "gates.png", experts=experts, note=note))
    cells = [cell for p in _spread(predictions) if (cell := _cell(p, by_id[p.dataset, p.id], make_lexicon(config)))]
    if cells:
        drawn.append(contact_sheet(cells, folder / "answers.png", note=note))
    return drawn


def training_log(config: ExperimentConfig) -> list[dict[str, Any]]:
    """Losses of all phases on one step axis, from the local logs: of the run in one process, or of one run a phase."""
    logs = Path(config.output) / "logs"
    together = logs / "p2e" / "metrics.jsonl"
    files = [together] if together.is_file() else [logs / name / "metrics.jsonl" for name in config.phases]
    phases = phases_of(replace(config, run=[]))
    rows: list[dict[str, Any]] = []
    for file in files:
        step = 0.0
        for row in read_metrics(file):
            step = row.get("p2e/step", step)  # a validation's row has none of its own
            if "train/loss" in row or "val/loss" in row:
                phase = next(p.name for p in reversed(phases) if step > p.first_step or p is phases[0])
                losses = {"train_loss": row.get("train/loss"), "val_loss": row.get("val/loss")}
                rows.append({"step": step, "phase": phase, **losses})
    return rows


@torch.inference_mode()
def gate_weights(
    config: ExperimentConfig, model: NanoEmoX, samples: Sequence[Sample], inputs: InputReader
) -> dict[str, list[float]]:
    """The mean weight of each fusion expert by gold emotion."""
    collate = Collator(make_prompts(config), ABLATION["all"], max_length=config.model.max_length, generate=True)
    model.eval()
    sums: dict[str, list[torch.Tensor]] = defaultdict(list)
    for start in range(0, len(samples), 32):
        items = [Item(sample, Task.MER, 0, inputs(sample)) for sample in samples[start : start + 32]]
        batch = collate(items).to(model.device)
        gates = model.embed(batch).gates
        fused = [item for item, has in zip(items, batch.slots["fusion"].tolist(), strict=True) if has]
        for item, weights in zip(fused, gates.float().cpu() if gates is not None else [], strict=True):
            sums[str(item.sample.label)].append(weights)
    return {label: torch.stack(rows).mean(0).tolist() for label, rows in sorted(sums.items())}


def log(
    config: ExperimentConfig, scores: dict[str, dict[str, float]], ablation: dict[str, dict[str, float]], drawn: Sequence[Path]
) -> None:
    """Scores and charts to W&B. No face leaves the machine: the contact sheet stays here."""
    for logger in make_loggers(config, "report"):
        for phase, values in scores.items():
            logger.log_metrics({f"{phase}/{name}": value for name, value in values.items()})
        logger.log_metrics(
            {f"ablation/{name}/{key}": value for name, values in ablation.items() for key, value in values.items()}
        )
        if isinstance(logger, WandbLogger):
            for path in drawn:
                if path.stem != "answers":
                    logger.log_image(f"report/{path.stem}", [str(path)])
        logger.finalize("success")


def _scores(output: Path, name: str) -> dict[str, Any]:
    file = output / "scores" / f"{name}.json"
    if not file.is_file():
        raise ConfigError(f"{file} is missing; `make {name}` writes it")
    record: dict[str, Any] = json.loads(file.read_text())
    return record


def _spread(predictions: Sequence[Prediction], each: int = 4) -> list[Prediction]:
    by_task: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        by_task[prediction.task].append(prediction)
    return [group[i * len(group) // each] for group in by_task.values() for i in range(min(each, len(group)))]


def _cell(prediction: Prediction, sample: Sample, lexicon: Lexicon) -> Cell | None:
    if sample.media.video is None:
        return None
    frame = read_frames(sample.media.video, 3, 160, span=sample.media.span, crop=sample.media.crop)[1].permute(1, 2, 0).numpy()
    gold, said, right = compared(prediction, lexicon)
    return Cell(frame, said, gold, right, f"{prediction.dataset}, {prediction.task}")
