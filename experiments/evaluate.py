"""Answers and scores of one stage of the curriculum, over every benchmark that lies under the data root."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from data_modules.datasets import load_samples
from data_modules.inputs import InputReader
from data_modules.record import Item, Sample, Task
from experiments.assembly import checkpoints_of, found_datasets, make_inputs, make_model, make_prompts, stage
from experiments.logs import console
from nano_emox.config import ConfigError, ExperimentConfig
from nano_emox.evaluation.predictions import Prediction, PredictionLog, read_predictions
from nano_emox.evaluation.scores import score_predictions, scores_by_dataset
from nano_emox.evaluation.tables import score_table
from nano_emox.predict import Predictor
from nano_emox.tasks import Answer


def evaluate_phase(config: ExperimentConfig, phase: str) -> dict[str, float]:
    """Answer all benchmarks with a stage's checkpoints, score, and write `scores/<phase>.json`.

    Each answer is on disk before the next batch starts; an evaluation that was killed continues where it stopped, as long
    as the checkpoints are the same.
    """
    names = stage(config, phase)
    benchmarks, absent = found_datasets(config, config.evaluation.benchmarks)
    if absent:
        console.print(f"[yellow]not under {config.data.root}, so left out:[/] {', '.join(absent)}")
    if not benchmarks:
        raise ConfigError(f"evaluation.benchmarks: none of {', '.join(absent)} lies under data.root={config.data.root}")
    modalities = config.phases[names[0]].evaluate_with
    checkpoints = checkpoints_of(config, names)
    model = make_model(config, online=config.data.features == "online", init_from=checkpoints)
    predictor = Predictor(
        model, make_prompts(config), modalities=modalities, max_new_tokens=config.model.max_new_tokens,
        max_length=config.model.max_length,
    )  # fmt: skip
    samples = benchmark_samples(config, benchmarks)
    log = Path(config.output) / "predictions" / f"{phase}-{digest_of(checkpoints)}.jsonl"
    predictions = answer(predictor, samples, make_inputs(config, modalities), log, config.evaluation.batch_size, phase)
    scores = score_predictions(predictions, config.evaluation.lexicon)
    record = {
        "phase": phase,
        "scores": scores,
        "by_dataset": scores_by_dataset(predictions, config.evaluation.lexicon),
        "predictions": str(log),
        "absent": absent,
        "modalities": list(modalities),
    }
    target = Path(config.output) / "scores" / f"{phase}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record, indent=2))
    console.print(score_table({phase: scores}, title=f"{phase} on {', '.join(benchmarks)}"))
    return scores


def benchmark_samples(config: ExperimentConfig, names: Sequence[str]) -> list[Sample]:
    """The test samples of benchmarks, at most `evaluation.limit` of each."""
    limit = config.evaluation.limit or None
    return [sample for name in names for sample in load_samples(name, config.data.root, "test")[:limit]]


def answer(
    predictor: Predictor, samples: Sequence[Sample], inputs: InputReader, log: Path, batch_size: int, title: str
) -> list[Prediction]:
    """Answer what the log does not have yet, rows of one task together; returns all predictions in the samples' order."""
    wanted = {(s.dataset, s.tasks[0].value, s.id): s for s in samples}
    with PredictionLog(log) as done, Progress(console=console, transient=True) as progress:
        todo = [sample for key, sample in wanted.items() if key not in done]
        bar = progress.add_task(f"{title}: answering", total=len(todo))
        for group in _batches(todo, batch_size):
            items = [Item(sample, sample.tasks[0], 0, inputs(sample)) for sample in group]
            for item, said in zip(items, predictor.answers(items), strict=True):
                done.append(as_prediction(item, said, predictor))
            progress.advance(bar, len(group))
    by_key = {prediction.key: prediction for prediction in read_predictions(log)}
    return [by_key[key] for key in wanted]


def as_prediction(item: Item, said: Answer, predictor: Predictor) -> Prediction:
    """An answer beside its gold."""
    task = item.task
    by_task: dict[Task, dict[str, Any]] = {
        Task.MSA: {"sentiment": said.label, "words": said.words or None},
        Task.ERG: {"emotion": said.label, "reply": said.reply},
        Task.ERI: {"description": said.description, "words": said.words or None},
    }
    fields = by_task.get(task, {"label": said.label, "words": said.words or None})
    return Prediction.of(item.sample, task, prompt_hash(item, predictor), said.text, parsed=said.parsed, **fields)


def prompt_hash(item: Item, predictor: Predictor) -> str:
    """Of the prompt's ids: another template, tokenizer or set of modalities is another hash."""
    ids = predictor.collate([item]).input_ids[0].tolist()
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]


def digest_of(paths: Collection[Path]) -> str:
    """Eight hex digits that stand for the contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"no checkpoint {path}; `make {path.stem.split('_')[0]}` trains it")
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _batches(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Batches of one task each: answers of one task are of like length, so rows finish together."""
    by_task: dict[Task, list[Sample]] = {}
    for sample in samples:
        by_task.setdefault(sample.tasks[0], []).append(sample)
    for group in by_task.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]
