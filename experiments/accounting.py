"""`<output>/accounting.jsonl`: one row an epoch, written as it comes; an epoch that is trained again replaces its row."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from data_modules.durable import whole_lines, write_atomically

_KEY = ("phase", "epoch", "split")


class AccountFile:
    """Rows of `callbacks.accounting`, on disk before the next epoch begins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, row: dict[str, Any]) -> None:
        """Write a row, in place of an earlier one of the same epoch."""
        rows = [known for known in read_accounts(self.path) if any(known[name] != row[name] for name in _KEY)]
        self._write([*rows, row])

    def drop(self, phases: Collection[str]) -> None:
        """Forget the rows of these phases."""
        if rows := read_accounts(self.path):
            self._write([row for row in rows if row["phase"] not in phases])

    def _write(self, rows: Iterable[dict[str, Any]]) -> None:
        write_atomically(self.path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_accounts(path: Path) -> list[dict[str, Any]]:
    """The rows in the order in which they were written; none where there is no file."""
    return [json.loads(line) for _, line, _ in whole_lines(path)]
