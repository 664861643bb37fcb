"""`nano-emox human-eval`: from files of predictions to forms, and from filled forms to the table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from data_modules.datasets import load_samples
from data_modules.durable import write_atomically
from data_modules.record import Task
from experiments.logs import console
from nano_emox.config import ConfigError
from nano_emox.evaluation.predictions import Prediction, read_predictions
from nano_emox.human_evaluation import DIMENSIONS, draw_study, read_key, read_ratings, score_ratings, write_study


def make_study_from_files(
    files: Sequence[str], data: Path, out: Path, *, dialogues: int, raters: int, seed: int, reference: bool = False
) -> list[Path]:
    """Write the forms and the key of a study of `[NAME=]FILE`s; dialogues are read from the data root by their ids.

    With `reference`, the data set's own replies take part as one more system, as blind as the others.

    Raises:
        ConfigError: what is given makes no study; the message says why.
    """
    predictions: dict[str, list[Prediction]] = {}
    sources: dict[str, str] = {}
    for given in files:
        name, path = _named(given)
        if not path.is_file():
            raise ConfigError(f"no predictions {path}")
        if name in predictions or (reference and name == "reference"):
            raise ConfigError(f"two systems are called {name!r}; give names, as in ours={path}")
        try:
            predictions[name] = read_predictions(path)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        sources[name] = f"{path} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    if reference:
        shown = {each.key: each for group in predictions.values() for each in group}
        predictions["reference"] = [replace(each, reply=each.gold_reply) for each in shown.values()]
        sources["reference"] = "the data set's replies"
    datasets = sorted({each.dataset for group in predictions.values() for each in group if each.task == Task.ERG})
    if not datasets:
        raise ConfigError(f"no empathetic replies (task erg) in {', '.join(files)}")
    samples = {(name, sample.id): sample for name in datasets for sample in load_samples(name, data, "test")}
    try:
        study = draw_study(predictions, samples, dialogues=dialogues, raters=raters, seed=seed)
        forms = write_study(study, out, sources)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    console.print(
        f"{len(forms)} forms of {dialogues} dialogues x {len(study.systems)} systems in [bold]{out / 'forms'}[/]: send these."
    )
    console.print(f"The key is [bold]{out / 'key.json'}[/]: keep it, and open it only with `nano-emox human-eval score`.")
    for system, count in study.left_out.items():
        if count:
            console.print(f"[yellow]{system}: {count} dialogues without a readable reply could not be drawn[/]")
    return forms


def score_study(directory: Path, files: Sequence[Path], *, partial: bool = False) -> dict[str, Any]:
    """Print the table of a study and write `scores.json` beside its key.

    Raises:
        ConfigError: a file is not what a form writes, or unfinished; the message names file and dialogue.
    """
    try:
        key = read_key(directory)
        scores = score_ratings(key, read_ratings(files, key), partial=partial)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    target = directory / "scores.json"
    write_atomically(target, json.dumps(scores, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    console.print(ratings_table(scores))
    console.print(f"[dim]{target}[/]")
    return scores


def ratings_table(scores: dict[str, Any]) -> Table:
    """Rows: systems, the best average first, then Fleiss' kappa. Columns: dimensions and their average."""
    title = f"{scores['dialogues']} dialogues, {len(scores['raters'])} raters, 1 to 5; in brackets 95 % over dialogues"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("system", footer="Fleiss' kappa")
    names = [*(dimension.name for dimension in DIMENSIONS), "average"]
    for name in names:
        kappa = scores["kappa"][name]
        table.add_column(name, justify="right", footer="undefined" if kappa is None else f"{kappa:.3f}")
    ranking = sorted(scores["systems"].items(), key=lambda entry: -entry[1]["average"]["mean"])
    for system, row in ranking:
        cells = [
            f"{row[name]['mean']:.2f} [dim]({row[name]['interval'][0]:.2f}–{row[name]['interval'][1]:.2f})[/]" for name in names
        ]
        table.add_row(system, *cells)
    return table


def _named(given: str) -> tuple[str, Path]:
    """Split `NAME=FILE`; without a name, it is the file's."""
    name, separator, path = given.partition("=")
    return (name, Path(path)) if separator and name and path else (Path(given).stem, Path(given))
