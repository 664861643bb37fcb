"""`nano-emox data show`: one sample as text, and a picture of its frames and its sound over time."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from data_modules.datasets import card_of, find_reader, read_annotation
from data_modules.readers.annotation import Annotation
from data_modules.record import Sample
from experiments.data_tools.check import folder_of
from experiments.data_tools.sample_picture import draw_sample
from experiments.logs import console
from nano_emox.config import ConfigError

LONGEST = 2_000  # characters of a field that are printed


def show_sample(name: str, sample_id: str | None, root: Path, *, split: str, layout: str | None, out: Path | None) -> bool:
    """Print the sample and draw it; whether all of its media could be read.

    Args:
        out: the picture's file, or an existing folder for it.

    Raises:
        ConfigError: no such sample or split; the message names the nearest ids, or says what is wrong with that entry.
        FileNotFoundError: the data set is not there.
    """
    card = card_of(name)
    splits = [part for part in card.splits if part in find_reader(card, root, layout).splits]
    if split != "all" and split not in splits:
        raise ConfigError(f"--split: {name} has no split {split!r}; it has {', '.join(splits)}")
    annotation = read_annotation(name, root, split, layout=layout)
    sample = _chosen(name, sample_id, annotation)
    table = Table(title=f"{name}, {sample.split}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for field in fields(Sample):
        value = getattr(sample, field.name)
        if value is not None and value != () and value != {}:
            text = as_text(value)
            left_out = f" … ({len(text) - LONGEST:,} characters left out)" if len(text) > LONGEST else ""
            table.add_row(field.name, Text(text[:LONGEST] + left_out))
    console.print(table)
    picture = re.sub(r"[^\w.-]+", "_", sample.id)[:100] + ".png"
    path = out / picture if out and out.is_dir() else out or Path("outputs/data") / folder_of(name) / picture
    remarks = draw_sample(sample, path)
    for remark in remarks:
        console.print(Text(f"✗ {remark}", style="red"), soft_wrap=True)
    console.print(f"picture: {path}", soft_wrap=True, markup=False)
    return not remarks


def as_text(value: Any) -> str:
    """A field of a sample for people: turns and steps on lines of their own."""
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return "\n".join(f"{turn.role}: {turn.text}" for turn in value)
    if is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return "\n".join(f"{key}: {part}" for key, part in parts.items() if part is not None)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, str):
        return value or "(empty)"
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict) else str(value)


def _chosen(name: str, sample_id: str | None, annotation: Annotation) -> Sample:
    if not annotation.samples:
        why = f"; the first of {len(annotation.rejected)} faults: {annotation.rejected[0]}" if annotation.rejected else ""
        raise ConfigError(f"{name} lists no sample that can be used{why}")
    if sample_id is None:
        return annotation.samples[0]
    for sample in annotation.samples:
        if sample.id == sample_id:
            return sample
    for error in annotation.rejected:
        if str(error.place) == sample_id:
            raise ConfigError(f"{name}/{sample_id} cannot be used: {error.fault.value}: {error}")
    ids = [sample.id for sample in annotation.samples]
    near = difflib.get_close_matches(sample_id, ids, n=3, cutoff=0.5) or ids[:3]
    raise ConfigError(f"{name} has no sample {sample_id!r}; the nearest of {len(ids):,}: {', '.join(near)}")
