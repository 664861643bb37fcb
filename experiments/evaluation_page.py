"""From predictions to the page and the logger's tables: scores, pictures, frames of the worst errors, and how it was done."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from data_modules.datasets import card_of
from data_modules.media import MediaError, read_frames
from data_modules.record import Sample, Task
from experiments.assembly import device_of, make_lexicon
from experiments.evaluate import benchmark_samples
from experiments.loggers import make_loggers
from nano_emox.config import ExperimentConfig
from nano_emox.evaluation.charts import Spoke, radar
from nano_emox.evaluation.errors import compared, worst_errors
from nano_emox.evaluation.evaluation_report import HEADLINES, SCORE_NAMES, TASK_NAMES, EvaluationReport, score_rows, short_name
from nano_emox.evaluation.intervals import Intervals, bootstrap_intervals
from nano_emox.evaluation.pictures import confusion_matrix
from nano_emox.evaluation.predictions import Prediction
from nano_emox.evaluation.published import PAPER, published_beside, published_scores
from nano_emox.evaluation.released import released_scores
from nano_emox.evaluation.results import git_state, package_versions
from nano_emox.evaluation.scores import chance_levels, score_predictions, scores_by_dataset, sentiment_of, words_of
from nano_emox.evaluation.wheel_picture import emotion_wheel
from nano_emox.metrics.empathy_tables import COARSE_GROUPS
from nano_emox.metrics.lexicon import Lexicon
from nano_emox.tasks import polarity

RADAR = ("mer", "msa", "ov_mer", "mir", "eri", "erg")


def make_report(
    config: ExperimentConfig,
    record: Mapping[str, Any],
    predictions: Sequence[Prediction],
    folder: Path,
    chosen: Mapping[str, str],
) -> EvaluationReport:
    """Everything of the page; pictures are written below `folder`."""
    lexicon = make_lexicon(config)
    intervals = bootstrap_intervals(predictions, lexicon, seed=config.seed)
    scores, by_dataset = score_predictions(predictions, lexicon), scores_by_dataset(predictions, lexicon)
    samples = {(s.dataset, s.id): s for s in benchmark_samples(config, list(by_dataset))}
    errors = [
        (error, filmstrip(samples[error.prediction.dataset, error.prediction.id]))
        for error in worst_errors(predictions, lexicon)
    ]
    warnings = []
    if chosen:
        warnings.append(
            "SELECTED ON THE TEST SET: each data set shows the checkpoint that is best on it (the released protocol); optimistic"
        )
    if config.data.synthetic:
        warnings.append("synthetic people and tiny backbones: published numbers are of other data and cannot be compared")
    stamps = [
        *([] if chosen else ["checkpoint fixed before evaluation"]),
        f"lexicon: {lexicon.name}",
        "labels read by rule",
        f"{len(predictions):,} answers, {100 * scores['parsed']:.1f} % of the expected form",
        *([f"limited to {config.evaluation.limit} clips a data set"] if config.evaluation.limit else []),
    ]
    return EvaluationReport(
        name=f"{Path(config.output).name} · {record['phase']}",
        summary=f"{len(by_dataset)} benchmarks, evaluated {datetime.now():%Y-%m-%d %H:%M}; what the model was shown: "
        f"{', '.join(record['modalities'])}.",
        scores=scores,
        by_dataset=by_dataset,
        intervals=intervals,
        released=released_scores(predictions, lexicon),
        chance=chance_levels(predictions, lexicon, draws=20, seed=config.seed),
        sizes=Counter(p.dataset for p in predictions),
        settings=settings_of(config, record, lexicon) | {f"checkpoint of {name}": text for name, text in chosen.items()},
        stamps=stamps,
        warnings=warnings,
        absent={name: card_of(name).how_to_obtain for name in record["absent"]},
        radar=radar_of(scores, intervals, list(by_dataset), folder / "pictures" / "radar.svg"),
        confusions=confusions_of(predictions, folder / "pictures"),
        wheels=wheels_of(predictions, lexicon, folder / "pictures"),
        errors=errors,
    )


def settings_of(config: ExperimentConfig, record: Mapping[str, Any], lexicon: Lexicon) -> dict[str, str]:
    """How it was measured, as name and text."""
    git = git_state(Path(__file__).parent)
    return {
        "checkpoints": ", ".join(record["checkpoints"]),
        "answers": str(record["predictions"]),
        **{name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in record["decoding"].items()},
        "lexicon of the wheels": lexicon.name,
        "labels from answers": "rule parser of the prompt's own templates; no language model",
        "judge of reasoning (ERI)": "rule: word and group overlap, ours, comparable with nothing published; see nano-emox judge",
        "bootstrap": f"percentile, clips within each data set, 1,000 resamples, 95 %, seed {config.seed}",
        "seed": str(config.seed),
        "device": str(device_of(config)),
        "packages": ", ".join(f"{name} {version}" for name, version in package_versions().items() if version),
        "commit": f"{git['commit'][:12]}{' with changes' if git['dirty'] else ''}" if git else "not in a repository",
    }


def radar_of(scores: Mapping[str, float], intervals: Intervals, datasets: Sequence[str], path: Path) -> Path | None:
    """One spoke a task; published means are over the same data sets, and none where the measure differs (ERI)."""
    spokes = []
    for key in sorted((key for key in HEADLINES if key in scores), key=lambda key: RADAR.index(key.split(".")[0])):
        rows = [row for name in datasets for row in published_beside(name, key) if row.model == PAPER]
        published = sum(row.value for row in rows) / len(rows) if rows else None
        low, high = intervals.scores[key]
        name = f"{short_name(key.split('.')[0])}\n{SCORE_NAMES[key]}"
        spokes.append(Spoke(name, 100 * scores[key], 100 * low, 100 * high, published))
    return radar(spokes, path) if len(spokes) >= 3 else None


def confusions_of(predictions: Sequence[Prediction], folder: Path) -> list[tuple[str, Path]]:
    """A matrix for each data set whose answers are one of few labels."""
    read: dict[str, tuple[str, Callable[[Prediction], tuple[str, str | None]]]] = {
        Task.MER: ("emotion", lambda p: (p.gold_label or "", p.label)),
        Task.MSA: ("sentiment", lambda p: (polarity(p.gold_score or 0.0), sentiment_of(p))),
        Task.MIR: ("intent", lambda p: (p.gold_label or "", p.label)),
        Task.ERG: ("speaker's emotion, coarse", lambda p: (_coarse(p.gold_emotion) or "(outside)", _coarse(p.emotion))),
    }
    groups: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for p in predictions:
        if p.task in read:
            groups[p.dataset, p.task].append(p)
    drawn = []
    for (dataset, task), group in sorted(groups.items(), key=lambda entry: (entry[0][1] == Task.MIR, entry[0])):
        title, pair = read[task]
        gold, said = zip(*map(pair, group), strict=True)
        labels = ["negative", "neutral", "positive"] if task == Task.MSA else None
        drawn.append((f"{dataset}: {title}", confusion_matrix(gold, said, folder / f"confusion-{dataset}.svg", labels=labels)))
    return drawn


def wheels_of(predictions: Sequence[Prediction], lexicon: Lexicon, folder: Path) -> list[tuple[str, Path]]:
    """Each task that names emotions on the first wheel, and open vocabulary on all of them."""
    drawn = []
    for task in (Task.OV_MER, Task.MER, Task.ERG):
        group = [p for p in predictions if p.task == task]
        gold = [(p.gold_emotion or "",) if task is Task.ERG else p.gold_words or (p.gold_label or "",) for p in group]
        said = [((p.emotion,) if p.emotion else ()) if task is Task.ERG else words_of(p) for p in group]
        for wheel in lexicon.wheels if task is Task.OV_MER else lexicon.wheels[:1]:
            if group:
                path = folder / f"wheel-{task.value}-{wheel}.svg"
                drawn.append(
                    (f"{short_name(task)}: {TASK_NAMES[task]}, {wheel}", emotion_wheel(gold, said, lexicon, path, wheel=wheel))
                )
    return drawn


def filmstrip(sample: Sample, count: int = 4, size: int = 128) -> bytes | None:
    """Frames of a clip side by side, as JPEG; None where there is no picture or it cannot be read."""
    if sample.media.video is None:
        return None
    try:
        frames = read_frames(sample.media.video, count, size, span=sample.media.span, crop=sample.media.crop)
    except MediaError:
        return None
    buffer = io.BytesIO()
    Image.fromarray(torch.cat(list(frames), dim=2).permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def log_tables(config: ExperimentConfig, report: EvaluationReport, predictions: Sequence[Prediction]) -> None:
    """Scores, published numbers, answers and charts to the loggers. No frame leaves the machine."""
    lexicon = make_lexicon(config)
    columns = ["data set", "clips", "score", "value", "low", "high", "released protocol"]
    answers = [[p.dataset, p.task, p.id, *map(str, compared(p, lexicon)), p.text] for p in predictions]
    published = [[r.model, r.dataset, r.score, r.value, r.source, r.note] for r in published_scores()]
    for logger in make_loggers(config, "evaluate"):
        logger.log_metrics({f"evaluate/{name}": value for name, value in report.scores.items()})
        if isinstance(logger, WandbLogger):
            logger.log_table("evaluate/scores", columns, [list(row) for row in score_rows(report)])
            logger.log_table("evaluate/answers", ["data set", "task", "id", "gold", "answer", "counts", "text"], answers)
            logger.log_table("evaluate/published", ["model", "data set", "score", "per cent", "source", "note"], published)
            settings = [[name, value] for name, value in report.settings.items()]
            logger.log_table("evaluate/settings", ["setting", "value"], settings)
        logger.finalize("success")


def _coarse(emotion: str | None) -> str | None:
    return COARSE_GROUPS.get((emotion or "").strip().casefold())
