"""How checkpoints are written and read."""

import os
import subprocess

import pytest
import torch

from data_modules.durable import sweep
from nano_emox.checkpoint_io import CheckpointError, DurableCheckpointIO, read_checkpoint, read_weights

STATE = {"b.weight": torch.arange(6.0).view(2, 3), "a": torch.ones(2, dtype=torch.bfloat16)}


def save(path, state=STATE):
    DurableCheckpointIO().save_checkpoint({"state_dict": state, "loops": {"step": 3}}, path)
    return path


def test_a_phases_result_is_weights_alone_and_equal_weights_are_equal_files(tmp_path):
    first = save(tmp_path / "one" / "phase2.safetensors")
    again = save(tmp_path / "two" / "phase2.safetensors", dict(reversed(STATE.items())))
    assert first.read_bytes() == again.read_bytes()
    back = read_weights(first)
    assert back.keys() == STATE.keys()
    assert all(torch.equal(back[name], value) for name, value in STATE.items())


def test_a_checkpoint_comes_back_and_serves_as_weights(tmp_path):
    path = save(tmp_path / "batch=000000003.ckpt")
    assert DurableCheckpointIO().load_checkpoint(path)["loops"] == {"step": 3}
    assert torch.equal(read_weights(path)["a"], STATE["a"])
    assert torch.equal(read_checkpoint(path, lazily=True)["state_dict"]["b.weight"], STATE["b.weight"])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["phase2.safetensors", "batch=000000003.ckpt"])
@pytest.mark.parametrize("keep", [0, 0.3, 0.9])
def test_a_truncated_file_is_an_error_that_names_it(name, keep, tmp_path):
    path = save(tmp_path / name)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=rf"{name}.*damaged"):
        read_weights(path)
    with pytest.raises(FileNotFoundError, match="gone"):
        read_weights(tmp_path / f"gone{path.suffix}")


def test_a_pickled_object_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"state_dict": Harmful()}, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="holds more than tensors and plain values"):
        read_weights(tmp_path / "x.ckpt")
    assert not (tmp_path / "ran").exists()


def test_a_weight_that_is_not_finite_is_not_written_and_the_old_file_stays(tmp_path):
    path = save(tmp_path / "phase2.safetensors")
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"phase2\.safetensors is not written: 1 parameters.*b\.weight"):
        save(path, STATE | {"b.weight": torch.tensor([1.0, float("nan")])})
    assert path.read_bytes() == before


def test_a_full_disk_is_said_with_path_and_bytes_and_leaves_what_was_there(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        path = save(disk / "batch=1.ckpt")
        before = path.read_bytes()
        with pytest.raises(CheckpointError, match=r"batch=1\.ckpt needs 4\d\d,\d\d\d bytes, .*disk has \d+,\d\d\d free"):
            save(path, {"big": torch.zeros(100_000)})
        assert path.read_bytes() == before
        assert [file.name for file in disk.iterdir()] == ["batch=1.ckpt"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_a_killed_writer_left_is_swept(tmp_path):
    (tmp_path / ".tmp-1234").write_bytes(b"half")
    (tmp_path / "batch=1.ckpt").write_bytes(b"whole")
    assert sweep(tmp_path, older_than=60) == []
    assert [path.name for path in sweep(tmp_path)] == [".tmp-1234"]
    assert [path.name for path in tmp_path.iterdir()] == ["batch=1.ckpt"]
