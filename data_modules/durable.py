"""What reaches the disk whole or not at all: files that replace their predecessor, and logs that grow by whole lines."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = ".tmp-"


def write_atomically(path: Path, data: bytes | str | memoryview) -> Path:
    """Write beside the target, sync, rename, sync the directory: a reader sees the old file or the whole new one.

    Text is UTF-8. A write that fails leaves the old file and nothing else; one that was killed leaves a file for `sweep`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_TEMPORARY}{uuid.uuid4().hex}"
    try:
        with temporary.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def sweep(directory: Path, older_than: float = 0.0) -> list[Path]:
    """Remove what killed writers left in a directory; returns what was removed.

    Args:
        older_than: seconds since the last write; above 0 where others may be writing there now.
    """
    before = time.time() - older_than
    left = [path for path in sorted(directory.glob(f"{_TEMPORARY}*")) if path.stat().st_mtime <= before]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _sync_directory(directory: Path) -> None:
    """The rename itself reaches the disk. Windows cannot open directories, and orders renames by itself."""
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Number, bytes and end offset of each line that was written to its end; a missing file has none."""
    if not path.exists():
        return
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # torn: the process was killed while writing it
            end += len(line)
            yield number, line, end


class LineFile:
    """A file that is only ever appended to, each line on disk before the next is begun.

    Args:
        path: of the file; its directory is made.
        end: bytes to keep, from `whole_lines`; a torn last line after them is cut off.
    """

    def __init__(self, path: Path, end: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab")
        self._file.truncate(end)

    def append(self, line: bytes) -> None:
        """Write one line, without its line break, and wait until it is on disk."""
        self._file.write(line + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def append_line(path: Path, line: bytes) -> None:
    """Add one line to a file that is opened for it alone; a torn last line is cut off first."""
    end = max((end for _, _, end in whole_lines(path)), default=0)
    file = LineFile(path, end)
    try:
        file.append(line)
    finally:
        file.close()
