"""What was found out about files, kept line by line: a check that was killed continues, an unchanged file is not read again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_modules.checking.files import FileJob, FileReport
from data_modules.durable import LineFile, whole_lines

VERSION = 2  # raise it when a check finds something else in the same file


class Ledger:
    """A JSON Lines file of file states and findings; without a path, a memory only. A torn last line is cut off."""

    def __init__(self, path: Path | None = None, *, fresh: bool = False) -> None:
        self._known: dict[str, FileReport] = {}
        self._file: LineFile | None = None
        end = 0
        if path is not None:
            for _, line, stop in () if fresh else whole_lines(path):
                end = stop
                self._load(json.loads(line))
            self._file = LineFile(path, end)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, job: FileJob) -> FileReport | None:
        """What is known of a file in this state; None where it has to be looked at."""
        report = self._known.get(job.key)
        return None if report is None or (job.digest and not report.digest and not report.problems) else report

    def add(self, found: Iterable[tuple[FileJob, FileReport]]) -> None:
        """Take findings in; they are on disk when this returns."""
        lines = []
        for job, report in found:
            self._known[job.key] = report
            lines.append(json.dumps({"version": VERSION, "key": job.key, "report": asdict(report)}).encode())
        if lines and self._file is not None:
            self._file.append(b"\n".join(lines))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _load(self, entry: dict[str, Any]) -> None:
        if entry.get("version") == VERSION:
            report = entry["report"]
            problems = {stream: (reason, hint) for stream, (reason, hint) in report.pop("problems").items()}
            self._known[entry["key"]] = FileReport(problems=problems, **report)
