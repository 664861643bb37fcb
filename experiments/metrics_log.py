"""The local record of a run: every logged row on disk before the next is made, whatever becomes of W&B or of the run.

Lightning's CSV logger keeps rows in memory, deletes its old file when a run is resumed, and rewrites it for a new column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from data_modules.durable import LineFile, whole_lines


class MetricsLog(Logger):
    """Appends rows `{"step": ..., name: value, ...}` to `<directory>/metrics.jsonl`; a resumed run goes on in the same file.

    Args:
        directory: of one stage of the run.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.path = directory / "metrics.jsonl"
        self._file: LineFile | None = None

    @property
    def name(self) -> str:
        return self.path.parent.name

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self._file is None:
            self._file = LineFile(self.path, max((end for _, _, end in whole_lines(self.path)), default=0))
        row = {"step": step} | {name: float(value) for name, value in metrics.items()}
        self._file.append(json.dumps(row).encode())

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The configuration lies in `config.yaml`."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows by step; what was logged again after a resume replaces what had been logged before it."""
    rows: dict[tuple[Any, ...], dict[str, float]] = {}
    for _, line, _ in whole_lines(path):
        row = json.loads(line)
        rows[row["step"], *sorted(row)] = row
    return sorted(rows.values(), key=lambda row: row["step"] or 0)
