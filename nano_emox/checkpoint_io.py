"""Checkpoints that are whole or not there: how they are written, checked and read. Nothing here unpickles code.

`<phase>.safetensors` is a phase's result, weights and nothing else; equal weights are equal files. `*.ckpt` is everything
that a run needs to go on. Both are written beside their target, synced and renamed (`data_modules.durable`).
"""

from __future__ import annotations

import errno
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from data_modules.durable import write_atomically

WEIGHTS = ".safetensors"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read; the message names the file and says what to do."""


class DurableCheckpointIO(CheckpointIO):
    """Lightning's door to the disk. A path that ends in `.safetensors` takes the weights alone."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint whole, or raise and leave what is there.

        Raises:
            CheckpointError: a weight is not finite, or the disk is full.
        """
        path = Path(path)
        state: Mapping[str, Tensor] = checkpoint["state_dict"]
        if bad := sorted(name for name, value in state.items() if not bool(torch.isfinite(value).all())):
            raise CheckpointError(
                f"{path} is not written: {len(bad)} parameters are NaN or infinite, e.g. {', '.join(bad[:4])}"
            )
        content: bytes | memoryview
        if path.suffix == WEIGHTS:
            weights = {name: value.detach().cpu().contiguous() for name, value in state.items()}
            content = to_safetensors(weights, {"nano_emox": json.dumps({"phase": path.stem})})
        else:
            buffer = io.BytesIO()
            torch.save(checkpoint, buffer)
            content = buffer.getbuffer()
        size = len(content)
        try:
            write_atomically(path, content)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            free = shutil.disk_usage(path.parent).free
            raise CheckpointError(
                f"{path} needs {size:,} bytes, {path.parent} has {free:,} free ({error.strerror}); training has stopped and"
                " the checkpoints that were there are untouched: free some space and give the same command again"
            ) from error

    def load_checkpoint(self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Read one; tensors and plain values only, whatever `weights_only` says."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


def read_checkpoint(path: Path, *, lazily: bool = False) -> dict[str, Any]:
    """All that a `.ckpt` holds; `lazily` leaves tensors on the disk until they are looked at.

    Raises:
        FileNotFoundError: there is none.
        CheckpointError: it is truncated or damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # compares every checksum
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path} holds more than tensors and plain values, so it is not read") from error
    except (zipfile.BadZipFile, EOFError, RuntimeError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or damaged: {error}") from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise CheckpointError(f"{path} is damaged, or no checkpoint of a run: {damaged or 'it has no state_dict'}")
    return content


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a phase's `.safetensors`, or of a `.ckpt` from the middle of one.

    Raises:
        FileNotFoundError: there is none.
        CheckpointError: it is truncated or damaged.
    """
    if path.suffix != WEIGHTS:
        return dict(read_checkpoint(path)["state_dict"])
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated or damaged: {error}") from error
