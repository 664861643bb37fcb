"""`nano-emox evaluate`: which checkpoint, which benchmarks; scores, `report.html`, and tables for the logger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data_modules.durable import write_atomically
from experiments.assembly import configure, stages
from experiments.evaluate import Subject, evaluate_phase, evaluate_subject, subject_of_phase
from experiments.evaluation_page import log_tables, make_report
from experiments.logs import console
from nano_emox.checkpoint_io import WEIGHTS
from nano_emox.config import ConfigError, ExperimentConfig
from nano_emox.evaluation.evaluation_report import write_report
from nano_emox.evaluation.predictions import Prediction
from nano_emox.evaluation.tables import score_table

BEST_ON_TEST = "best-on-test"
CHECKPOINTS = (".ckpt", WEIGHTS)
SELECTED_BY = {  # the score that the released protocol takes the best checkpoint by
    "mer": "mer.hit_rate", "msa": "msa.waf", "ov_mer": "ov_mer.set_f", "mir": "mir.waf", "eri": "eri.rule_label_overlap",
    "erg": "erg.emotion_accuracy",
}  # fmt: skip


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is to be evaluated, and key=value overrides; a checkpoint's own name may hold an equals sign."""
    targets = [each for each in arguments if "=" not in each or each.endswith(CHECKPOINTS) or Path(each).exists()]
    return targets, [each for each in arguments if each not in targets]


def benchmark(
    targets: Sequence[str],
    overrides: Sequence[str],
    *,
    preset: str,
    benchmarks: Sequence[str] = (),
    select: str | None = None,
    page: bool = True,
) -> Path | None:
    """Evaluate a phase of the configured run, a run directory's last phase, or checkpoint files.

    Args:
        targets: one phase name, run directory or checkpoint; several only with `select`.
        overrides: of the configuration; a checkpoint inside a run takes that run's configuration first.
        preset: where no run is named.
        benchmarks: data set names; all configured ones if empty.
        select: `best-on-test` takes, for each data set, the target that scores best on its test set.
        page: write `report.html` and log tables; without it only `scores/<phase>.json` is written.

    Returns:
        the path of the report, if one is written.

    Raises:
        ConfigError: no such phase, several targets without `select`, an unknown selection, a benchmark that nobody knows.
    """
    if select not in (None, BEST_ON_TEST):
        raise ConfigError(f"--select: {select!r}; the only selection is {BEST_ON_TEST}, which looks at the test set")
    if not targets:
        raise ConfigError("nothing to evaluate; name a phase (phase3), a run directory or a checkpoint")
    if len(targets) > 1 and select is None:
        raise ConfigError(
            f"{len(targets)} targets: which checkpoint is evaluated must be fixed before the test set is seen; name one, or "
            f"say --select {BEST_ON_TEST} to reproduce the released protocol"
        )
    config, subjects = resolve(targets, overrides, preset, several=select is not None)
    if not page:
        evaluate_phase(config, subjects[0].name, benchmarks)
        return None
    evaluated = [evaluate_subject(config, subject, benchmarks) for subject in subjects]
    folder = Path(config.output) / "evaluations"
    if select is None:
        record, predictions = evaluated[0]
        name = subjects[0].name if subjects[0].name in stages(config) else f"{subjects[0].name}-{record['digest']}"
        chosen: dict[str, str] = {}
    else:
        record, predictions, chosen = best_on_test(evaluated)
        name = BEST_ON_TEST
    report = make_report(config, record, predictions, folder / name, chosen)
    target = write_report(report, folder / name / "report.html")
    write_atomically(folder / name / "scores.json", json.dumps({**record, "selected_on_test": chosen}, indent=1))
    log_tables(config, report, predictions)
    console.print(score_table({name: report.scores}, report.chance, title=f"{name} on {', '.join(report.by_dataset)}"))
    for warning in report.warnings:
        console.print(f"[yellow]{warning}[/]")
    console.print(f"  {target}", soft_wrap=True)
    return target


def resolve(
    targets: Sequence[str], overrides: Sequence[str], preset: str, *, several: bool
) -> tuple[ExperimentConfig, list[Subject]]:
    """The configuration, and one subject for each target."""
    paths = [Path(target) for target in targets if Path(target).exists()]
    run = next((folder for path in paths if (folder := _run_of(path))), None)
    config = configure(str(run / "config.yaml") if run else preset, overrides)
    if run and not any(override.startswith("output=") for override in overrides):
        config = replace(config, output=str(run))
    subjects: list[Subject] = []
    for target in targets:
        path = Path(target)
        if path.is_file() or target.endswith(CHECKPOINTS):
            subjects.append(_subject_of_file(config, path))
        elif path.is_dir() and several:
            subjects += [_subject_of_file(config, file) for file in sorted(path.iterdir()) if file.suffix in CHECKPOINTS]
        elif path.is_dir():
            if not run:
                raise ConfigError(f"{path}: no config.yaml here or above, so this is no run; name a checkpoint file in it")
            subjects.append(_last_stage(config))
        else:
            subjects.append(subject_of_phase(config, target))
    if not subjects:
        raise ConfigError(f"{', '.join(targets)}: no *.ckpt or *{WEIGHTS} files there")
    return config, subjects


def best_on_test(
    evaluated: Sequence[tuple[dict[str, Any], list[Prediction]]],
) -> tuple[dict[str, Any], list[Prediction], dict[str, str]]:
    """For each data set the record whose headline score is highest (the first of equals), as the released scripts do."""
    chosen: dict[str, str] = {}
    predictions: list[Prediction] = []
    for dataset in evaluated[0][0]["by_dataset"]:
        task = next(p.task for p in evaluated[0][1] if p.dataset == dataset)
        scores = [record["by_dataset"][dataset][SELECTED_BY[task]] for record, _ in evaluated]
        best = int(np.nanargmax(scores))
        names = ", ".join(f"{100 * score:.1f}" for score in scores)
        chosen[dataset] = f"{', '.join(evaluated[best][0]['checkpoints'])} ({SELECTED_BY[task]} among {names})"
        predictions += [p for p in evaluated[best][1] if p.dataset == dataset]
    record = evaluated[0][0] | {
        "phase": BEST_ON_TEST,
        "checkpoints": list(dict.fromkeys(path for record, _ in evaluated for path in record["checkpoints"])),
        "digest": "+".join(record["digest"] for record, _ in evaluated),
    }
    return record, predictions, chosen


def _run_of(path: Path) -> Path | None:
    """The nearest directory with a run's configuration, at most three levels above a checkpoint."""
    folders = [path, *path.parents][: 4 if path.is_file() else 3]
    return next((folder for folder in folders if (folder / "config.yaml").is_file()), None)


def _subject_of_file(config: ExperimentConfig, path: Path) -> Subject:
    """One file. Its phase is known by its name, or by the folder it lies in; else it is taken for the last one."""
    names = [name for name in config.phases if name in (path.stem, path.parent.name)]
    phase = config.phases[names[0] if names else list(config.phases)[-1]]
    name = path.stem if path.stem in config.phases else f"{path.parent.name}-{path.stem}".replace("=", "")
    return Subject(name, (path,), tuple(phase.evaluate_with))


def _last_stage(config: ExperimentConfig) -> Subject:
    """The last stage of the curriculum whose checkpoints are all there."""
    for name in reversed(stages(config)):
        subject = subject_of_phase(config, name)
        if all(path.is_file() for path in subject.checkpoints):
            return subject
    raise ConfigError(f"{config.output}: no phase is finished here; `make phase1` begins")
