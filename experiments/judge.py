"""A file of predictions through a judge: every value on disk as it comes, a table at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from data_modules.durable import write_atomically
from experiments.logs import console
from nano_emox.config import ConfigError
from nano_emox.evaluation.predictions import read_predictions
from nano_emox.judges import HttpJudge, Judge, JudgeError, RuleJudge, ScoreLog, judge_predictions, read_scores, summarise
from nano_emox.judges.run import QUESTIONS, values_wanted


def judge_file(
    predictions: Path,
    out: Path,
    *,
    judge: str,
    model: str,
    tasks: Sequence[str] = (),
    batch_size: int = 16,
    max_tokens: int = 256,
    timeout: float = 60.0,
    attempts: int = 4,
    api_key_env: str = "NANO_EMOX_JUDGE_KEY",
    device: str = "cpu",
    lexicon: str = "builtin",
) -> dict[str, Any]:
    """Judge what `out` does not have yet, and write the summary beside it as `<out>.summary.json`.

    Raises:
        ConfigError: the files or the judge cannot be used; the message says why.
    """
    if not predictions.is_file():
        raise ConfigError(f"no predictions {predictions}; `make phase3` or `nano-emox evaluate` writes some")
    if unknown := set(tasks) - set(QUESTIONS):
        raise ConfigError(f"--tasks: {', '.join(sorted(unknown))} needs no judge; there are {', '.join(QUESTIONS)}")
    try:
        chosen = [each for each in read_predictions(predictions) if each.task in (tasks or QUESTIONS)]
        if not chosen:
            raise ConfigError(f"{predictions}: no answers of {', '.join(tasks or QUESTIONS)}")
        who = make_judge(
            judge, model, max_tokens=max_tokens, timeout=timeout, attempts=attempts, batch_size=batch_size,
            api_key=os.environ.get(api_key_env), device=device,
        )  # fmt: skip
        console.print(f"judge: {who.identity}", markup=False)
        with ScoreLog(out, who.identity) as log, Progress(console=console, transient=True) as progress:
            bar = progress.add_task("judging", total=values_wanted(chosen))
            judge_predictions(chosen, who, log, batch_size=batch_size, advance=lambda count: progress.advance(bar, count))
        keys = {prediction.key for prediction in chosen}
        summary = summarise(chosen, [score for score in read_scores(out) if score.key[:3] in keys], lexicon)
    except (JudgeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    target = out.with_name(out.name + ".summary.json")
    write_atomically(target, json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.print(summary_table(summary))
    console.print(f"[dim]{out}, {target}[/]")
    return summary


def make_judge(
    kind: str, model: str, *, max_tokens: int, timeout: float, attempts: int, batch_size: int, api_key: str | None, device: str
) -> Judge:
    """Make a judge from `rule`, `local:DIR` or an http address.

    Raises:
        ConfigError: it is none of these.
        JudgeError: the directory or the address cannot be used.
    """
    if kind == "rule":
        return RuleJudge()
    if kind.startswith("local:"):
        from nano_emox.judges.local import LocalJudge

        directory = Path(kind.removeprefix("local:"))
        return LocalJudge(directory, batch_size=batch_size, max_new_tokens=max_tokens, device=device)
    if kind.startswith(("http://", "https://")):
        return HttpJudge(kind, model, api_key=api_key, timeout=timeout, attempts=attempts, max_tokens=max_tokens)
    raise ConfigError(f"--judge: {kind!r} is none of rule, local:DIR, http://HOST/v1, https://HOST/v1")


def summary_table(summary: dict[str, Any]) -> Table:
    """One row a score; overlaps are on the judge's scale 1 to 10, the others in [0, 1]."""
    judge = summary["judge"]
    table = Table(title=f"by {judge['backend']}:{judge['model']}; comparable with no other judge", title_justify="left")
    for name in ("data set", "score"):
        table.add_column(name)
    for name in ("value", "judged", "failed"):
        table.add_column(name, justify="right")
    for dataset, entry in summary["datasets"].items():
        rows = [(name, f"{number:.3f}") for name, number in entry["scores"].items()] or [("–", "–")]
        for position, (name, number) in enumerate(rows):
            first = position == 0
            failed = f"[red]{entry['failed']}[/]" if entry["failed"] else "0"
            table.add_row(
                dataset if first else "", name, number, str(entry["judged"]) if first else "", failed if first else ""
            )
    return table
