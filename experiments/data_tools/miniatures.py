"""`nano-emox data fixture`: a data set's layouts in miniature, and what is wrong with them on purpose."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from data_modules.fixtures.catalogue import FIXTURES, write_fixture
from data_modules.fixtures.fixture import Fixture
from data_modules.fixtures.outline import marks_of, outline
from experiments.logs import console
from nano_emox.config import ConfigError


def write_miniatures(name: str, directory: Path, *, layout: str | None = None) -> None:
    """Write and print. Several layouts go to a folder each; a folder that holds anything already is left alone.

    Raises:
        ConfigError: the data set has no miniature of that layout.
        FileExistsError: something is in the way.
    """
    chosen = [f for f in FIXTURES if name in ("all", f.dataset) and layout in (None, f.layout)]
    if not chosen:
        known = ", ".join(f.layout for f in FIXTURES if f.dataset == name) or "none"
        raise ConfigError(f"{name}: no miniature of layout {layout!r}; there is {known}")
    places = {f.name: place_of(f, chosen, directory) for f in chosen}
    for f in chosen:
        if places[f.name].exists() and any(places[f.name].iterdir()):
            raise FileExistsError(f"{places[f.name]} is not empty; nothing was written: give a new directory")
    for f in chosen:
        root = places[f.name]
        write_fixture(f, root)
        console.print(Text(f"{f.name} in {root}", style="bold"))
        for line in outline(root, marks_of(f, root)):
            console.print(Text(f"  {line}"), soft_wrap=True)
        _print_wrong(f, root)
    first = chosen[0]
    console.print(
        f"look it over: nano-emox data check {first.dataset} --root {places[first.name]} --layout {first.layout}",
        soft_wrap=True,
        markup=False,
    )


def place_of(fixture: Fixture, chosen: list[Fixture], directory: Path) -> Path:
    """The data root of one miniature: the directory itself where there is only one, a folder for each otherwise."""
    if len(chosen) == 1:
        return directory
    variant = "".join(char if char.isalnum() else "-" for char in fixture.variant)
    name = fixture.layout + ("-" + variant if variant else "")
    return directory / fixture.dataset / name if len({f.dataset for f in chosen}) > 1 else directory / name


def _print_wrong(fixture: Fixture, root: Path) -> None:
    expected = fixture.expected(root)
    counts = ", ".join(f"{split} {len(samples)}" for split, samples in expected.items())
    console.print(f"{counts} samples; wrong on purpose:")
    table = Table("split", "id or place", "what", box=box.SIMPLE_HEAD, pad_edge=False)
    where = {sample.id: split for split, samples in expected.items() for sample in samples}
    for split, faults in fixture.faults.items():
        for place, fault in faults.items():
            table.add_row(split, Text(place), f"annotation: {fault.value}")
    for name, reason in fixture.broken.items():
        table.add_row(where.get(name, ""), Text(name), f"media: {reason.value}")
    console.print(table)
