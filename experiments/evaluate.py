"""Answers and scores of checkpoints, over every benchmark that lies under the data root.

Answers are made in batches whose members do not depend on what was answered before: a run that was killed repeats at
most the batch that it died in, and writes the same lines as one that was not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from data_modules.datasets import load_samples
from data_modules.durable import write_atomically
from data_modules.inputs import InputReader
from data_modules.record import Item, Sample, Task
from experiments.assembly import (
    checkpoints_of,
    device_of,
    found_datasets,
    make_inputs,
    make_lexicon,
    make_model,
    make_prompts,
    stage,
)  # fmt: skip
from experiments.logs import console
from nano_emox.config import ConfigError, ExperimentConfig
from nano_emox.evaluation.intervals import bootstrap_intervals
from nano_emox.evaluation.predictions import Prediction, PredictionLog, read_predictions
from nano_emox.evaluation.scores import score_predictions, scores_by_dataset
from nano_emox.evaluation.tables import score_table
from nano_emox.predict import Predictor
from nano_emox.tasks import Answer


@dataclass(frozen=True)
class Subject:
    """What is evaluated: checkpoints that are one model together, and the modalities that it is asked with."""

    name: str
    checkpoints: tuple[Path, ...]
    modalities: tuple[str, ...]


def evaluate_phase(config: ExperimentConfig, phase: str, benchmarks: Sequence[str] = ()) -> dict[str, float]:
    """Answer all benchmarks with a stage's checkpoints, score, and write `scores/<phase>.json`."""
    record, _ = evaluate_subject(config, subject_of_phase(config, phase), benchmarks)
    target = Path(config.output) / "scores" / f"{phase}.json"
    write_atomically(target, json.dumps(record, indent=2))
    scores: dict[str, float] = record["scores"]
    console.print(score_table({phase: scores}, title=f"{phase} on {', '.join(record['by_dataset'])}"))
    return scores


def subject_of_phase(config: ExperimentConfig, phase: str) -> Subject:
    """A stage of the configured run: its boundary checkpoints, and what its phases are evaluated with."""
    names = stage(config, phase)
    return Subject(phase, tuple(checkpoints_of(config, names)), tuple(config.phases[names[0]].evaluate_with))


def evaluate_subject(
    config: ExperimentConfig, subject: Subject, benchmarks: Sequence[str] = ()
) -> tuple[dict[str, Any], list[Prediction]]:
    """Answer and score; returns the record that is written to `scores/`, and the answers.

    Each answer is on disk before the next batch starts. The log's name is a digest of the weights and of how answers are
    decoded, so an evaluation continues its own log only.

    Raises:
        ConfigError: none of the benchmarks is there, or the log holds answers to other prompts.
        FileNotFoundError: a checkpoint is missing.
    """
    found, absent = found_datasets(config, benchmarks or config.evaluation.benchmarks)
    if absent:
        console.print(f"[yellow]not under {config.data.root}, so left out:[/] {', '.join(absent)}")
    if not found:
        raise ConfigError(f"evaluation.benchmarks: none of {', '.join(absent)} lies under data.root={config.data.root}")
    settings = decoding(config, subject)
    digest = digest_of(subject.checkpoints, {name: value for name, value in settings.items() if name != "batch_size"})
    log = Path(config.output) / "predictions" / f"{subject.name}-{digest}.jsonl"
    samples = benchmark_samples(config, found)
    inputs = make_inputs(config, subject.modalities)
    predictor = make_predictor(config, subject)
    predictions = answer(predictor, samples, inputs, log, config.evaluation.batch_size, subject.name)
    lexicon = make_lexicon(config)
    intervals = bootstrap_intervals(predictions, lexicon, seed=config.seed)
    record = {
        "phase": subject.name,
        "checkpoints": [str(path) for path in subject.checkpoints],
        "digest": digest,
        "lexicon": lexicon.name,
        "decoding": settings,
        "scores": score_predictions(predictions, lexicon),
        "by_dataset": scores_by_dataset(predictions, lexicon),
        "intervals": {name: list(interval) for name, interval in intervals.scores.items()},
        "predictions": str(log),
        "absent": absent,
        "modalities": list(subject.modalities),
    }
    return record, predictions


def make_predictor(config: ExperimentConfig, subject: Subject) -> Predictor:
    """The one way to an answer, with the subject's weights."""
    model = make_model(config, online=config.data.features == "online", init_from=subject.checkpoints)
    return Predictor(
        model.to(device_of(config)), make_prompts(config), modalities=subject.modalities, max_new_tokens=config.model.max_new_tokens,
        max_length=config.model.max_length, decode=config.evaluation.decode,
    )  # fmt: skip


def decoding(config: ExperimentConfig, subject: Subject) -> dict[str, Any]:
    """What decides an answer besides the weights."""
    says = {
        "greedy": "greedy, through the one Predictor",
        "likelihood": "most probable candidate (sum of log-probabilities over the whole answer) for MER and MIR, else greedy",
    }
    return {
        "decoding": says[config.evaluation.decode],
        "max_new_tokens": config.model.max_new_tokens,
        "max_length": config.model.max_length,
        "batch_size": config.evaluation.batch_size,
        "modalities": list(subject.modalities),
        "features": config.data.features,
        "dtype": config.backbones.dtype,
    }


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
        _check_prompts(predictor, wanted, inputs, done)
        bar = progress.add_task(f"{title}: answering", total=len(wanted))
        for group in _batches(list(wanted.values()), batch_size):
            keys = [(s.dataset, s.tasks[0].value, s.id) for s in group]
            if not all(key in done for key in keys):
                items = [Item(sample, sample.tasks[0], 0, inputs(sample)) for sample in group]
                for key, item, said in zip(keys, items, predictor.answers(items), strict=True):
                    if key not in done:
                        done.append(as_prediction(item, said, predictor))
            progress.advance(bar, len(group))
    by_key = {prediction.key: prediction for prediction in read_predictions(log)}
    return [by_key[key] for key in wanted]


def _check_prompts(
    predictor: Predictor, wanted: Mapping[tuple[str, str, str], Sample], inputs: InputReader, done: PredictionLog
) -> None:
    """Compare one old answer of each data set with the prompt that would be asked now."""
    seen = set()
    for key, sample in wanted.items():
        if key in done and key[:2] not in seen:
            seen.add(key[:2])
            if prompt_hash(Item(sample, sample.tasks[0], 0, inputs(sample)), predictor) != done.prompt_hash(key):
                raise ConfigError(f"{done.path}: {key} was answered to another prompt; move the log away to start again")


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


def digest_of(paths: Collection[Path], settings: Any = None) -> str:
    """Eight hex digits that stand for the contents of files, and for settings if they are given."""
    digest = hashlib.sha256()
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"no checkpoint {path}; `make {path.stem.split('_')[0]}` trains it")
        digest.update(path.read_bytes())
    if settings is not None:
        digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()[:8]


def _batches(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Batches of one task each: answers of one task are of like length, so rows finish together."""
    by_task: dict[Task, list[Sample]] = {}
    for sample in samples:
        by_task.setdefault(sample.tasks[0], []).append(sample)
    for group in by_task.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]
