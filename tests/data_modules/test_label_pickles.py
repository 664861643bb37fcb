"""Label files are pickles from file-sharing sites: none of them runs anything, reads anything or fills the memory."""

from __future__ import annotations

import os
import pickle
import pickletools
import resource
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_modules.readers.annotation import AnnotationError
from data_modules.readers.corpus_npz import load_labels


class Calls:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def write(path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("test_corpus.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(pickled)
    return path


def named(module: str, name: str, argument: str) -> bytes:
    """A call by name, as any pickle tool writes it: the function need not be importable here."""
    return f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()


HOSTILE = {
    "a shell command": lambda mark: pickle.dumps({"a": Calls(os.system, f"touch {mark}")}),
    "the same in an array": lambda mark: pickle.dumps(np.array({"a": Calls(os.system, f"touch {mark}")}, dtype=object)),
    "the same as a key": lambda mark: pickle.dumps({("a", Calls(os.system, f"touch {mark}")): 1}),
    "the same in protocol 0": lambda mark: named("posix", "system", f"touch {mark}"),
    "evaluation": lambda mark: pickle.dumps({"a": Calls(eval, f"open({str(mark)!r}, 'w')")}),
    "an import": lambda mark: pickle.dumps({"a": Calls(__import__, "antigravity")}),
    "an attribute of an attribute": lambda mark: b"\x80\x04\x8c\x05numpy\x8c\x13ndarray.__class__.mro\x93.",
    "a file of numpy": lambda mark: named("numpy", "fromfile", "/etc/passwd"),
    "a memory map": lambda mark: named("numpy", "memmap", "/etc/passwd"),
    "numpy's own loader": lambda mark: named("numpy", "load", "/etc/passwd"),
    "numpy's old runner": lambda mark: named("numpy.testing._private.utils", "runstring", "import os"),
    "a test runner": lambda mark: named("numpy.f2py.crackfortran", "myeval", f"open({str(mark)!r}, 'w')"),
    "codecs beside encode": lambda mark: named("_codecs", "decode", "x"),
    "a builtin by its old name": lambda mark: named("__builtin__", "eval", "1"),
    "a getter of attributes": lambda mark: pickle.dumps({"a": Calls(getattr, {}, "pop")}),
    "a persistent id": lambda mark: b"Psomething\n.",
    "an extension code": lambda mark: b"\x82\x01.",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_is_refused_and_nothing_happens(tmp_path: Path, kind: str):
    mark = tmp_path / "mark"
    path = write(tmp_path / "label.npz", HOSTILE[kind](mark))
    with pytest.raises(AnnotationError, match=r"label\.npz:npz: "):
        load_labels(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"\x80\x04.",  # ends with nothing on its stack
        b"\x80\x04}",  # does not end
        pickle.dumps([1, 2]),
        pickle.dumps(np.zeros(3)),
        b"\x80\x04" + b"(" * 10_000 + b".",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",  # a text that says that it has 4 EB
        b"\x80\x04\x8b" + struct.pack("<I", 2**31 - 1) + b"\xff.",  # a number of 2 GB
        b"\x80\x04Nr" + struct.pack("<I", 2**28) + b".",  # a memory of 2**28 things, 4 GB to the unpickler in C
        pickletools.optimize(pickle.dumps({"a": 1}))[:-3],
    ],
)
def test_a_damaged_pickle_is_an_annotation_error(tmp_path: Path, pickled: bytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AnnotationError):
        load_labels(write(tmp_path / "label.npz", pickled))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_what_unpacks_to_gigabytes_is_refused_by_its_header(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "label.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert (tmp_path / "label.npz").stat().st_size < 1 << 20
    with pytest.raises(AnnotationError, match="unpacks to"):
        load_labels(tmp_path / "label.npz")


def test_labels_as_they_are_published_are_read(tmp_path: Path):
    labels = {"clip": {"emo": "happy", "val": np.float64(0.4)}, "片段": {"emo": np.int64(2), "val": -10}}
    np.savez(tmp_path / "label.npz", train_corpus=np.array(labels, dtype=object))
    assert load_labels(tmp_path / "label.npz") == {"train_corpus": labels}
