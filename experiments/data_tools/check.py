"""`nano-emox data check`: data sets one after the other, a bar, and the reports, each on disk as soon as it is known."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from data_modules.checking.dataset import check_dataset
from data_modules.checking.ledger import Ledger
from data_modules.checking.summary import DatasetCheck
from data_modules.datasets import card_of
from data_modules.durable import write_atomically
from experiments.data_tools.page import index_page, report_page
from experiments.data_tools.tables import print_checks
from experiments.logs import console


class ClipsPerSecond(ProgressColumn):
    """The rate over the last half minute."""

    def render(self, task: Task) -> Text:
        """As text; a dash before the first clip."""
        speed = task.finished_speed or task.speed
        return Text("–" if speed is None else f"{speed:,.0f} clips/s", style="progress.data.speed")


def folder_of(dataset: str) -> str:
    """Where a data set's reports go, below `--out`."""
    return re.sub(r"[^\w.+-]+", "_", dataset)


def check_and_report(
    names: Sequence[str],
    root: Path,
    out: Path,
    *,
    layout: str | None,
    workers: int,
    decode: bool,
    again: bool,
    frames: int,
    all_found: bool,
) -> bool:
    """Check, write and print; whether anything is wrong."""
    checks: list[DatasetCheck] = []
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), ClipsPerSecond(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for name in names:
            bar = progress.add_task(name, total=None)
            ledger = Ledger(out / folder_of(name) / "files.jsonl", fresh=again)
            try:
                check = check_dataset(
                    name, root, layout=layout, ledger=ledger, workers=workers, decode=decode,
                    progress=lambda done, total, bar=bar: progress.update(bar, completed=done, total=total),  # type: ignore[misc]
                )  # fmt: skip
            finally:
                ledger.close()
            strips: list[tuple[str, bytes]] = []
            if frames:
                from experiments.data_tools.strips import strips_of  # torch takes seconds to import; a check has no need of it

                strips = strips_of(name, root, check.layout, frames)
            write_atomically(out / folder_of(name) / "check.json", json.dumps(check.as_json(), ensure_ascii=False, indent=1))
            write_atomically(out / folder_of(name) / "check.html", report_page(check, card_of(name), strips))
            checks.append(check)
    if all_found:
        write_atomically(out / "index.html", index_page(checks, root))
    print_checks(checks)
    pages = out / "index.html" if all_found else out / folder_of(names[0]) / "check.html"
    console.print(
        f"page: {pages}; everything, by id: {out / (folder_of(names[0]) if len(names) == 1 else 'NAME') / 'check.json'}",
        soft_wrap=True,
        markup=False,
    )
    return any(check.wrong for check in checks)
