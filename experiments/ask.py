"""One question about one clip, from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from data_modules.datasets import DATASETS
from data_modules.record import Task
from experiments.assembly import checkpoints_of, configure, make_model, make_prompts, media_inputs, stage, stages
from experiments.exchange import open_folder
from experiments.logs import console
from nano_emox.config import ConfigError
from nano_emox.metrics.lexicon import valence_of
from nano_emox.predict import Predictor
from nano_emox.tasks import QUESTIONS, question

VOCABULARIES = {Task.MER: "MER2023", Task.MIR: "MIntRec"}  # whose labels are offered when none are given


def ask(
    clip: Path,
    *,
    task: str,
    subtitle: str | None,
    candidates: Sequence[str],
    as_json: bool,
    run: Path,
    overrides: Sequence[str],
) -> None:
    """Answer about `clip` with the last stage of `run`, streaming, or as one JSON object."""
    if task not in set(Task):
        raise ConfigError(f"--task: no task {task!r}; there are {', '.join(Task)}")
    chosen = Task(task)
    if candidates and QUESTIONS[chosen] == question(chosen, candidates):
        raise ConfigError(f"--candidates: task {task!r} does not choose among labels; leave it out")
    if (run / "processor_config.json").is_file():
        config, model, prompts, modalities = open_folder(run, overrides)
    else:
        settings = run / "config.yaml"
        if not settings.is_file():
            raise ConfigError(f"--run: {run} holds no finished run; `make phase3` makes one, or name another directory")
        config = configure(str(settings), overrides)
        config.output = str(run)  # the run that was asked for, wherever it was trained or moved to
        last = stages(config)[-1]
        model = make_model(config, online=True, init_from=checkpoints_of(config, stage(config, last)))
        prompts, modalities = make_prompts(config), config.phases[stage(config, last)[0]].evaluate_with
    predictor = Predictor(
        model, prompts, modalities=modalities, max_new_tokens=config.model.max_new_tokens, max_length=config.model.max_length
    )
    if not candidates and chosen in VOCABULARIES:
        candidates = DATASETS[VOCABULARIES[chosen]].vocabulary

    def stream(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    result = predictor.clip(
        clip,
        chosen,
        media_inputs(config, modalities),
        subtitle=subtitle,
        candidates=candidates,
        stream=None if as_json else stream,
    )
    answer = asdict(result.answer)
    if chosen is Task.MSA:
        answer["sentiment"] = result.answer.label or (valence_of(result.answer.words) if result.answer.words else None)
    if as_json:
        print(
            json.dumps({"clip": str(clip), "task": task, "modalities": list(result.modalities), **answer}, ensure_ascii=False)
        )
        return
    console.print(f"[dim]from {', '.join(result.modalities) or 'nothing but the question'}[/]")
    if chosen is Task.MSA and answer["sentiment"]:
        console.print(f"[dim]sentiment of these words:[/] {answer['sentiment']}")
    if not result.answer.parsed:
        what = "is none of the candidates" if candidates else "has not the form that this task asks for"
        console.print(f"[yellow]the answer {what}[/]")
