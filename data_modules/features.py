"""The feature store: what frozen encoders give for a clip, computed once, read by memory map.

The address of an entry is (content of the clip's files, fingerprint of tower and preprocessing): a changed tower,
setting or file never meets a stale entry, and a renamed or copied clip is not computed again. A shard is an ordinary
safetensors file of stacked records with a small JSON beside it; the JSON is written last: a shard without one does
not exist. A shard is read only after its bytes have been compared with their checksum, once a process, and workers inherit
what their parent has compared; one that is damaged is an error until `repair` drops it and its clips are extracted again.

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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from data_modules.content import file_digest
from data_modules.durable import write_atomically
from data_modules.media import MediaError, Reason, image_files
from data_modules.record import Media

_BLOCK = 1 << 24  # bytes hashed at a time; large ones leave other threads running
_STALE = 3600.0  # seconds after which a half-written file cannot belong to a running process any more
_REDO = "`nano-emox features --verify` drops such shards and extracts again what they held"
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


class DamagedShard(OSError):
    """A shard whose bytes are not those that were written; the message names the file, and how to redo it."""


def content_key(media: Media) -> str:
    """32 hex digits from the bytes of a clip's files, its span and its crop; equal for equal content, wherever it lies.

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
        if media.span is not None or media.crop is not None:
            part = [float(number) for number in (*(media.span or ()), *(media.crop or ()))]
            digest.update(f"span:{media.span is not None};crop:{media.crop is not None};{part};".encode())
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


class _Stamp(NamedTuple):
    """What tells a file that has been compared from one that has changed since."""

    size: int
    modified: int  # nanoseconds
    inode: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


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
        self._intact: dict[str, _Stamp] = {}  # compared with their checksum in this process or in its parent
        self._damaged: dict[str, str] = {}  # shards whose index cannot be read, and what is wrong with it
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
            try:
                index = self._index(shard)
            except DamagedShard as error:
                self._damaged[shard] = str(error)  # its clips count as not extracted; `require` says why
                continue
            self._known.add(shard)
            self._rows.update({key: (shard, row) for row, key in enumerate(index["keys"])})
            self._rows.update(dict.fromkeys(index["absent"], (shard, -1)))

    def read(self, key: str) -> dict[str, Tensor]:
        """The features of a clip, float32; empty if the clip was seen and does not have this modality.

        Raises:
            KeyError: the clip has not been extracted into this space.
            DamagedShard: what holds the clip is not what was written.
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
        """Append clips: key -> name -> tensor. A clip without tensors is recorded as one without this modality.

        Clips that another process has written in the meantime are left out.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.sweep()
        self.refresh()
        records = {key: record for key, record in records.items() if key not in self}
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

    def verify(self, keys: Iterable[str] | None = None) -> list[str]:
        """Compare shards with their checksums, several at a time; returns the damaged ones, without an error.

        Args:
            keys: only the shards that hold these clips, and that have not been compared yet; None is all of them anew.
        """
        if keys is None:
            self._intact.clear()
            wanted = set(self._known)
        else:
            wanted = {self._rows[key][0] for key in keys if key in self._rows and self._rows[key][1] >= 0} - set(self._intact)
        with ThreadPoolExecutor() as pool:  # hashing leaves Python's lock
            problems = pool.map(self._compare, sorted(wanted))
            return [shard for shard, problem in zip(sorted(wanted), problems, strict=True) if problem]

    def require(self, keys: Iterable[str]) -> None:
        """Compare the shards that hold these clips, where that has not been done yet.

        Raises:
            DamagedShard: one of them is not what was written.
        """
        problems = [*self._damaged.values(), *(self._compare(shard) for shard in self.verify(keys))]
        if problems:
            raise DamagedShard(problems[0] + (f" ({len(problems)} shards are damaged)" if problems[1:] else ""))

    def repair(self, thorough: bool = False) -> list[str]:
        """Drop damaged shards, so that their clips count as not extracted; returns their names.

        Args:
            thorough: compare checksums, which reads everything; otherwise sizes only.
        """
        damaged = []
        for path in sorted(self.directory.glob("*.json")) if self.directory.is_dir() else []:
            shard = path.stem
            if path.name == "space.json":
                continue
            try:
                if self._size_problem(shard, self._index(shard)):
                    damaged.append(shard)
            except DamagedShard:
                damaged.append(shard)
        if thorough:
            damaged += [shard for shard in self.verify() if shard not in damaged]
        for shard in damaged:
            (self.directory / f"{shard}.json").unlink(missing_ok=True)  # first: without it the shard does not exist
            (self.directory / f"{shard}.safetensors").unlink(missing_ok=True)
        self._rows = {key: place for key, place in self._rows.items() if place[0] not in damaged}
        self._known -= set(damaged)
        for shard in damaged:
            self._open.pop(shard, None)
            self._damaged.pop(shard, None)
        return damaged

    def _index(self, shard: str) -> dict[str, Any]:
        path = self.directory / f"{shard}.json"
        try:
            index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if index.get("names", _names(index["keys"], index["absent"])) != _names(index["keys"], index["absent"]):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise DamagedShard(f"{path} is not what was written; {_REDO}") from None
        return index

    def _size_problem(self, shard: str, index: Mapping[str, Any]) -> str:
        path = self.directory / f"{shard}.safetensors"
        if index["keys"] and (not path.exists() or path.stat().st_size != index["bytes"]):
            return f"{path} is missing or not {index['bytes']} bytes long; {_REDO}"
        return ""

    def _compare(self, shard: str) -> str:
        """What is wrong with a shard; empty if its bytes are those that were written."""
        path = self.directory / f"{shard}.safetensors"
        try:
            index = self._index(shard)
        except DamagedShard as error:
            return str(error)
        if problem := self._size_problem(shard, index):
            return problem
        if index["keys"]:
            stamp = _Stamp.of(path)
            digest = blake2b(digest_size=16)
            with path.open("rb", buffering=0) as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
            if digest.hexdigest() != index["blake2b"]:
                return f"{path} does not have the checksum of what was written; {_REDO}"
            self._intact[shard] = stamp
        return ""

    def _commit(self, stacked: Mapping[str, Tensor], keys: list[str], absent: list[str]) -> None:
        shard = f"{time.time_ns():x}-{uuid.uuid4().hex[:12]}"
        data = save({name: tensor.contiguous() for name, tensor in stacked.items()}) if keys else b""
        if keys:
            write_atomically(self.directory / f"{shard}.safetensors", data)
        index = {
            "keys": keys,
            "absent": absent,
            "names": _names(keys, absent),
            "bytes": len(data),
            "blake2b": blake2b(data, digest_size=16).hexdigest(),
        }
        write_atomically(self.directory / f"{shard}.json", json.dumps(index).encode())

    def _map(self, shard: str) -> _Shard:
        path = self.directory / f"{shard}.safetensors"
        compared = path.exists() and self._intact.get(shard) == _Stamp.of(path)
        if not compared and (problem := self._compare(shard)):
            raise DamagedShard(problem)
        mapped = np.memmap(path, mode="r")
        size = int(mapped[:8].view("<u8")[0])
        header = json.loads(mapped[8 : 8 + size].tobytes())
        arrays = {}
        for name, entry in header.items():
            if name != "__metadata__":
                start, stop = (8 + size + offset for offset in entry["data_offsets"])
                arrays[name] = np.frombuffer(mapped, np.uint8)[start:stop].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        return _Shard(arrays)


def _names(keys: Iterable[str], absent: Iterable[str]) -> str:
    """Checksum of an index."""
    return blake2b(json.dumps([list(keys), list(absent)]).encode(), digest_size=8).hexdigest()
