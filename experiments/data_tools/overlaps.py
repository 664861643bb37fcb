"""`nano-emox data overlap`: clips that are trained on and scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from data_modules.datasets import card_of, read_annotation, splits_of
from data_modules.features import ContentKeys
from data_modules.record import Sample
from data_modules.splits import Overlap, overlap
from experiments.logs import console


def overlap_between(train: Sequence[str], evaluation: Sequence[str], root: Path, *, content: bool) -> list[Overlap]:
    """Train splits against test splits of the data sets that are there; what is absent is left out, and named on the console.

    Args:
        content: whether files are compared, too; every one is read once.
    """
    trained, scored = _samples(train, root, "train"), _samples(evaluation, root, "test")
    return overlap(trained, scored, ContentKeys() if content else None)


def print_overlap(found: Sequence[Overlap]) -> None:
    """A row for each pair of data sets."""
    if not found:
        console.print("[green]no clip is trained on and scored[/]")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("trained on", "scored on", "the same by", "clips", "of", "first"):
        table.add_column(column, justify="right" if column in ("clips", "of") else "left")
    for one in found:
        shared = len({scored for _, scored in one.pairs})
        table.add_row(one.train, one.evaluation, one.by, f"{shared:,}", f"{one.listed:,}", escape(one.pairs[0][1]))
    console.print(table)
    console.print("data_modules.splits.without_overlap takes them out of training", markup=False)


def _samples(names: Sequence[str], root: Path, split: str) -> dict[str, list[Sample]]:
    there = [name for name in names if card_of(name).layout_in(root) and split in splits_of(name, root)]
    if absent := [name for name in names if name not in there]:
        console.print(f"[yellow]·[/] no {split} split below {escape(str(root))}: {', '.join(absent)}", soft_wrap=True)
    return {name: read_annotation(name, root, split).samples for name in there}
