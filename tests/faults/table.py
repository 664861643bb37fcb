"""The table of faults, and the page that `make faults` writes with it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from data_modules.durable import write_atomically

PAGE = """# A run that cannot be lost

{how}
## What was done to it, and what came out

Written by `make faults` on {date}; every row is a test in `tests/faults/`, which fails where the outcome is another.

| fault | where | times | outcome |
|---|---|---|---|
{rows}
"""
HOW = ""


@dataclass(frozen=True)
class Row:
    """A fault, where it struck, how often, and what was measured."""

    fault: str
    where: str
    count: int
    outcome: str


def write_page(path: Path, rows: list[Row]) -> None:
    """The page, whole or not at all."""
    lines = [f"| {row.fault} | {row.where} | {row.count} | {row.outcome} |" for row in rows]
    write_atomically(path, PAGE.format(how=HOW, date=time.strftime("%Y-%m-%d"), rows="\n".join(lines)))
