"""The feature store: what frozen encoders give for a clip, computed once, read by memory map.

The address of an entry is (content of the clip's files, fingerprint of tower and preprocessing): a changed tower,
setting or file never meets a stale entry, and a renamed or copied clip is not computed again. A shard is an ordinary
safetensors file of stacked records with a small JSON beside it; the JSON is written last: a shard without one does
not exist.

    store/visual-3f2a.../space.json                tower and full fingerprint
    store/visual-3f2a.../<shard>.safetensors       "visual.last" (records, frames, dim), ...
    store/visual-3f2a.../<shard>.json              keys in the order of the records, absent keys, size and checksum
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from data_modules.content import file_digest
from data_modules.durable import write_atomically
from data_modules.media import MediaError, Reason, image_files
from data_modules.record import Media

_STALE = 3600.0  # seconds after which a half-written file cannot belong to a running process any more
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def content_key(media: Media) -> str:
    """32 hex digits from the bytes of a clip's files; equal for equal content, wherever it lies.

    Raises:
        MediaError: a file is missing.
    """
    return ContentKeys()(media)


class ContentKeys:
    """`content_key` with a memory: a file is read again only when its size or modification time has changed.

    Args:
        cache: a JSON file that carries the memory over to the next process; `save` writes it.
    """

    def __init__(self, cache: Path | str | None = None) -> None:
        self.cache = Path(cache) if cache is not None else None
        self._digests: dict[str, str] = {}
        self._fresh = 0
        if self.cache is not None and self.cache.exists():
            with contextlib.suppress(json.JSONDecodeError):  # only a memory: at worst files are read again
                self._digests = json.loads(self.cache.read_text(encoding="utf-8"))

    def __call__(self, media: Media) -> str:
        digest = blake2b(digest_size=16)
        for role, path in (("video", media.video), ("audio", media.audio)):
            if path is not None:
                digest.update(f"{role}:{self._of(path)};".encode())
        return digest.hexdigest()

    def save(self) -> None:
        """Write the cache file, if there is one and something is new."""
        if self.cache is not None and self._fresh:
            write_atomically(self.cache, json.dumps(self._digests).encode())
            self._fresh = 0

    def _of(self, path: Path) -> str:
        files = image_files(path) if path.is_dir() else [path]
        return ",".join(self._of_file(file) for file in files)

    def _of_file(self, path: Path) -> str:
        try:
            status = path.stat()
            place = f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"
            if place not in self._digests:
                self._digests[place] = file_digest(path)
                self._fresh += 1
        except FileNotFoundError as error:
            raise MediaError(path, Reason.MISSING, "no such file; check the data root, or download the media") from error
        return self._digests[place]


class FeatureStore:
    """A directory with one space for every (tower, fingerprint)."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def space(self, tower: str, fingerprint: str, dtype: torch.dtype = torch.float32) -> FeatureSpace:
        """The space of one tower (`visual`, `speech`, `face`) in one state.

        Args:
            fingerprint: of weights and preprocessing; any text. Another one is another space.
            dtype: float32 keeps features exactly; float16 halves the disk. `read` gives float32 either way.
        """
        if dtype not in (torch.float32, torch.float16):
            raise ValueError(f"features are stored as float32 or float16, not {dtype}")
        address = blake2b(f"{fingerprint}|{dtype}".encode(), digest_size=8).hexdigest()
        return FeatureSpace(self.root / f"{tower}-{address}", {"tower": tower, "fingerprint": fingerprint, "dtype": str(dtype)})


@dataclass
class _Shard:
    """An opened shard: its stacked tensors, mapped into memory."""

    arrays: Mapping[str, np.ndarray[Any, Any]]


class FeatureSpace:
    """Features by clip, for many readers and many writers at once: a writer's shard appears whole or not at all."""

    def __init__(self, directory: Path, identity: Mapping[str, str]) -> None:
        self.directory = directory
        self.identity = dict(identity)
        self.dtype = torch.float16 if identity["dtype"] == "torch.float16" else torch.float32
        self._rows: dict[str, tuple[str, int]] = {}  # key -> shard, record; record -1 is an absent modality
        self._known: set[str] = set()
        self._open: dict[str, _Shard] = {}
        self.refresh()

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # memory maps do not travel to worker processes

    def keys(self) -> Iterable[str]:
        """All clips of the space, those without the modality included."""
        return self._rows.keys()

    def refresh(self) -> None:
        """Take in the shards that other processes have written since."""
        if not self.directory.is_dir():
            return
        for path in sorted(self.directory.glob("*.json")):
            shard = path.stem
            if shard in self._known or path.name == "space.json":
                continue
            index = json.loads(path.read_text(encoding="utf-8"))
            self._known.add(shard)
            self._rows.update({key: (shard, row) for row, key in enumerate(index["keys"])})
            self._rows.update(dict.fromkeys(index["absent"], (shard, -1)))

    def read(self, key: str) -> dict[str, Tensor]:
        """The features of a clip, float32; empty if the clip was seen and does not have this modality.

        Raises:
            KeyError: the clip has not been extracted into this space.
        """
        if key not in self._rows:
            raise KeyError(f"{key} is not in {self.directory}; run `make features` with the same tower and settings")
        shard, row = self._rows[key]
        if row < 0:
            return {}
        if shard not in self._open:
            self._open[shard] = self._map(shard)
        return {name: torch.from_numpy(array[row].astype(np.float32)) for name, array in self._open[shard].arrays.items()}

    def write(self, records: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Append clips: key -> name -> tensor. A clip without tensors is recorded as one without this modality."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.sweep()
        if not (self.directory / "space.json").exists():
            write_atomically(self.directory / "space.json", json.dumps(self.identity, indent=2).encode())
        groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for key, features in records.items():
            groups[tuple((name, tuple(tensor.shape)) for name, tensor in sorted(features.items()))].append(key)
        absent = groups.pop((), [])
        for layout, keys in groups.items() or [((), [])]:
            stacked = {
                name: torch.stack([records[key][name].detach().cpu() for key in keys]).to(self.dtype) for name, _ in layout
            }
            self._commit(stacked, keys, absent)
            absent = []
        self.refresh()

    def sweep(self, older_than: float = _STALE) -> int:
        """Remove what writers that died left behind: temporary files, and shards without an index. Returns how many."""
        removed = 0
        for path in list(self.directory.iterdir()) if self.directory.is_dir() else []:
            left = path.name.startswith(".tmp-") or (path.suffix == ".safetensors" and not path.with_suffix(".json").exists())
            with contextlib.suppress(OSError):
                if left and time.time() - path.stat().st_mtime > older_than:
                    path.unlink()
                    removed += 1
        return removed

    def verify(self) -> list[str]:
        """Shards whose bytes do not have the checksum of their index; empty if all is well. Reads everything."""
        bad = []
        for shard in sorted(self._known):
            index = json.loads((self.directory / f"{shard}.json").read_text(encoding="utf-8"))
            path = self.directory / f"{shard}.safetensors"
            if index["keys"] and (
                not path.exists() or blake2b(path.read_bytes(), digest_size=16).hexdigest() != index["blake2b"]
            ):
                bad.append(shard)
        return bad

    def _commit(self, stacked: Mapping[str, Tensor], keys: list[str], absent: list[str]) -> None:
        shard = f"{time.time_ns():x}-{uuid.uuid4().hex[:12]}"
        data = save({name: tensor.contiguous() for name, tensor in stacked.items()}) if keys else b""
        if keys:
            write_atomically(self.directory / f"{shard}.safetensors", data)
        index = {
            "keys": keys,
            "absent": absent,
            "bytes": len(data),
            "blake2b": blake2b(data, digest_size=16).hexdigest(),
        }
        write_atomically(self.directory / f"{shard}.json", json.dumps(index).encode())

    def _map(self, shard: str) -> _Shard:
        path = self.directory / f"{shard}.safetensors"
        expected = json.loads((self.directory / f"{shard}.json").read_text(encoding="utf-8"))["bytes"]
        if not path.exists() or path.stat().st_size != expected:
            raise OSError(
                f"{path} is missing or not {expected} bytes long; remove {path.with_suffix('.json')} and extract again"
            )
        mapped = np.memmap(path, mode="r")
        size = int(mapped[:8].view("<u8")[0])
        header = json.loads(mapped[8 : 8 + size].tobytes())
        arrays = {}
        for name, entry in header.items():
            if name != "__metadata__":
                start, stop = (8 + size + offset for offset in entry["data_offsets"])
                arrays[name] = np.frombuffer(mapped, np.uint8)[start:stop].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        return _Shard(arrays)
