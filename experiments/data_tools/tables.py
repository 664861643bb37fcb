"""What `nano-emox data` prints: data sets, and the result of a check. Everything that comes from files is escaped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from data_modules.checking.summary import DatasetCheck, Finding, SplitCheck, by_reason
from data_modules.listing import Presence
from experiments.logs import console

FIRST = 5  # findings of one kind that the terminal shows; the page has more, JSON has all


def print_presence(found: Sequence[Presence], root: Path) -> None:
    """Data sets with what was found, then how to get those that are not there."""
    table = Table(title=f"Data sets below {escape(str(root))}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("data set", no_wrap=True)
    table.add_column("tasks")
    table.add_column("speech")
    table.add_column("samples", justify="right")
    table.add_column("found")
    table.add_column("licence", overflow="fold")
    missing: dict[str, list[str]] = defaultdict(list)
    for one in found:
        size = f"{sum(one.published.values()):,}" if one.published else "–"
        here = ", ".join(one.found) if one.found else "–"
        mark = "[green]✓[/]" if one.found else "[yellow]·[/]"
        table.add_row(mark, one.name, ", ".join(one.tasks), one.language, size, here, escape(one.licence))
        if not one.found:
            missing[one.how_to_obtain].append(one.name)
    console.print(table)
    if missing:
        console.print("How to get the rest:")
    for how, names in missing.items():
        console.print(f"  [bold]{', '.join(names)}[/]: {escape(how)}", soft_wrap=True)
    there = sum(bool(one.found) for one in found)
    console.print(f"[dim]{there} of {len(found)} found; `nano-emox data check NAME` looks one over[/]", soft_wrap=True)


def print_checks(checks: Sequence[DatasetCheck]) -> None:
    """A row for each split, then what is wrong, and what one may want to know."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("data set", "split", "published", "listed", "usable", "faults", "broken", "hours"):
        table.add_column(column, justify="left" if column in ("data set", "split") else "right", no_wrap=True)
    for check in checks:
        for index, split in enumerate(check.splits):
            name = check.dataset if index == 0 else ""
            table.add_row(name, split.name, *_numbers(split), end_section=split is check.splits[-1])
    console.print(table)
    for check in checks:
        _print_findings(check)
    if any(check.synthetic for check in checks):
        console.print("[dim]a synthetic corpus: its counts are not compared with the published ones[/]", soft_wrap=True)


def _numbers(split: SplitCheck) -> list[str]:
    if split.unread:
        return [_count(split.published), "[red]not read[/]", *[""] * 4]
    listed = f"[red]{split.listed:,}[/]" if split.complete is False else f"{split.listed:,}"
    wrong = (f"[red]{len(found):,}[/]" if found else "0" for found in (split.faults, split.broken))
    return [_count(split.published), listed, f"{split.usable:,}", *wrong, f"{split.durations.total / 3600:.2f}"]


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _print_findings(check: DatasetCheck) -> None:
    verdict = "[red]something is wrong[/]" if check.wrong else "[green]nothing is wrong[/]"
    console.print(f"[bold]{check.dataset}[/] ({check.layout}): {verdict}", soft_wrap=True)
    for sentence in check.wrong:
        console.print(f"  [red]✗[/] {escape(sentence)}", soft_wrap=True)
    for split in check.splits:
        for findings in (split.faults, split.broken):
            for reason in by_reason(findings):
                _print_some(split.name, [finding for finding in findings if finding.reason == reason])
        absent = {
            "no picture": len(split.without_video),
            "no sound track": len(split.without_audio),
            "a silent sound track": len(split.silent),
        }
        if notes := [f"{count:,} with {what}" for what, count in absent.items() if count]:
            console.print(f"  [yellow]·[/] {split.name}: {', '.join(notes)}", soft_wrap=True)
    for kind, noun in (("content", "one content under several ids"), ("id", "one id in several splits")):
        if same := [one for one in check.duplicates if not one.leak and one.kind == kind]:
            times = "once" if len(same) == 1 else f"{len(same):,} times"
            console.print(f"  [yellow]·[/] {times} {noun}, e.g. {escape(same[0].named())}", soft_wrap=True)


def _print_some(split: str, findings: Sequence[Finding]) -> None:
    for finding in findings[:FIRST]:
        console.print(
            f"    [dim]{split}[/] {escape(finding.where)} [yellow]{finding.reason}[/] [dim]{escape(finding.message)}[/]",
            soft_wrap=True,
        )
    if len(findings) > FIRST:
        console.print(f"    [dim]... and {len(findings) - FIRST:,} more, in the page and in check.json[/]")
