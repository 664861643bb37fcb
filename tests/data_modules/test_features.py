"""The feature store: exact, addressed by content and fingerprint, whole or not there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch

from data_modules.features import ContentKeys, FeatureSpace, FeatureStore, content_key
from data_modules.inputs import NotExtracted, StoredFeatures
from data_modules.media import MediaError, Reason
from data_modules.record import Media, Sample, Task


def record(seed: int, frames: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "visual.last": torch.randn(frames, 8, generator=generator),
        "visual.scales": torch.randn(frames, 3, 8, generator=generator),
    }


def equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture
def space(tmp_path: Path) -> FeatureSpace:
    return FeatureStore(tmp_path).space("visual", "tower one")


def test_what_is_written_is_read_back_exactly(tmp_path: Path, space: FeatureSpace):
    space.write({f"clip{n}": record(n) for n in range(3)} | {"long": record(9, frames=7)})
    again = FeatureStore(tmp_path).space("visual", "tower one")
    assert len(again) == 4
    assert all(equal(again.read(f"clip{n}"), record(n)) for n in range(3))
    assert equal(again.read("long"), record(9, frames=7))
    assert again.verify() == []


def test_an_absent_modality_is_not_the_same_as_not_extracted(space: FeatureSpace):
    space.write({"silent": {}, "clip": record(1)})
    assert "silent" in space
    assert space.read("silent") == {}
    assert "new" not in space
    with pytest.raises(KeyError, match="make features"):
        space.read("new")


def test_another_fingerprint_is_another_space(tmp_path: Path, space: FeatureSpace):
    space.write({"clip": record(1)})
    store = FeatureStore(tmp_path)
    assert "clip" not in store.space("visual", "tower two")
    assert "clip" not in store.space("face", "tower one")
    assert "clip" not in store.space("visual", "tower one", torch.float16)


def test_half_precision_is_read_as_float32(tmp_path: Path):
    space = FeatureStore(tmp_path).space("visual", "tower", torch.float16)
    space.write({"clip": record(1)})
    read = space.read("clip")
    assert read["visual.last"].dtype == torch.float32
    assert torch.equal(read["visual.last"], record(1)["visual.last"].half().float())


def test_what_a_dead_writer_left_is_ignored_and_swept(tmp_path: Path, space: FeatureSpace):
    space.write({"clip": record(1)})
    for name in (".tmp-1234", "18f2-dead.safetensors"):  # died while writing, and died before its index
        (space.directory / name).write_bytes(b"half")
    again = FeatureStore(tmp_path).space("visual", "tower one")
    assert set(again.keys()) == {"clip"}
    assert again.sweep() == 0  # young: another process may be writing it
    old = time.time() - 7200
    for name in (".tmp-1234", "18f2-dead.safetensors"):
        os.utime(space.directory / name, (old, old))
    assert again.sweep() == 2
    assert equal(again.read("clip"), record(1))


def test_a_damaged_shard_is_found(tmp_path: Path, space: FeatureSpace):
    space.write({"clip": record(1)})
    shard = next(space.directory.glob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert FeatureStore(tmp_path).space("visual", "tower one").verify() == [shard.stem]
    shard.write_bytes(data[:-8])
    with pytest.raises(OSError, match="features --verify"):
        FeatureStore(tmp_path).space("visual", "tower one").read("clip")


def _write(root: Path, start: int) -> None:
    space = FeatureStore(root).space("visual", "tower one")
    for n in range(start, start + 10):
        space.write({f"clip{n}": record(n)})


def test_several_processes_write_at_once(tmp_path: Path):
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_write, [tmp_path, tmp_path], [0, 10]))
    space = FeatureStore(tmp_path).space("visual", "tower one")
    assert len(space) == 20
    assert all(equal(space.read(f"clip{n}"), record(n)) for n in range(20))


def test_reading_is_quick(tmp_path: Path):
    space = FeatureStore(tmp_path).space("visual", "paper sizes")
    features = {"visual.last": torch.randn(8, 1024), "visual.scales": torch.randn(8, 3, 1024)}
    space.write({f"clip{n}": features for n in range(64)})
    space.read("clip0")
    start = time.perf_counter()
    for n in range(64):
        space.read(f"clip{n}")
    assert (time.perf_counter() - start) / 64 < 1e-3  # about 0.05 ms; the limit allows for a busy machine


def test_the_key_is_the_content_not_the_place(tmp_path: Path):
    for name, content in (("a.mp4", b"one"), ("b.mp4", b"one"), ("c.mp4", b"two"), ("d.wav", b"one")):
        (tmp_path / name).write_bytes(content)
    key = {name: content_key(Media(video=tmp_path / name)) for name in ("a.mp4", "b.mp4", "c.mp4")}
    assert key["a.mp4"] == key["b.mp4"] != key["c.mp4"]
    assert content_key(Media(audio=tmp_path / "d.wav")) != key["a.mp4"]
    assert content_key(Media(tmp_path / "a.mp4", tmp_path / "d.wav")) != key["a.mp4"]
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames/1.jpg").write_bytes(b"one")
    assert len(content_key(Media(video=tmp_path / "frames"))) == 32
    with pytest.raises(MediaError, match="missing"):
        content_key(Media(video=tmp_path / "none.mp4"))


def test_keys_are_remembered_until_the_file_changes(tmp_path: Path):
    clip, cache = tmp_path / "a.mp4", tmp_path / "keys.json"
    clip.write_bytes(b"one")
    keys = ContentKeys(cache)
    before = keys(Media(video=clip))
    keys.save()
    assert ContentKeys(cache)(Media(video=clip)) == before
    clip.write_bytes(b"three")
    assert ContentKeys(cache)(Media(video=clip)) != before
    cache.write_text("damaged")
    assert ContentKeys(cache)(Media(video=clip)) == content_key(Media(video=clip))


def test_stored_features_are_the_inputs_of_a_sample(tmp_path: Path, make_wav: Callable[..., Path]):
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"one")
    sample = Sample("a", "toy", "train", (Task.ERI,), Media(video=clip), description="x")
    store = FeatureStore(tmp_path / "store")
    visual, speech = store.space("visual", "v"), store.space("speech", "s")
    inputs = StoredFeatures({"visual": visual, "speech": speech})
    visual.write({content_key(sample.media): record(1)})
    with pytest.raises(MediaError) as caught:
        inputs(sample)
    assert caught.value.reason is Reason.NOT_EXTRACTED
    speech.write({content_key(sample.media): {}})
    assert equal(inputs(sample), record(1))


def test_clips_without_features_are_counted_before_any_is_drawn(tmp_path: Path):
    samples = []
    for n in range(4):
        (tmp_path / f"{n}.mp4").write_bytes(bytes([n]))
        samples.append(Sample(str(n), "toy", "train", (Task.ERI,), Media(video=tmp_path / f"{n}.mp4"), description="x"))
    keys = [content_key(sample.media) for sample in samples]
    space = FeatureStore(tmp_path / "store").space("visual", "v")
    space.write({key: record(1) for key in keys[:2]})
    StoredFeatures({"visual": space}).prepare(samples)  # each is reported when it is drawn
    StoredFeatures({"visual": space}, max_missing=0.5).prepare(samples)
    with pytest.raises(NotExtracted, match=r"2 of 4 clips are not in the feature store .*`nano-emox features`"):
        StoredFeatures({"visual": space}, max_missing=0.25).prepare(samples)
    known = StoredFeatures({"visual": space}, unreadable=dict.fromkeys(keys[2:], "empty"), max_missing=0.0)
    known.prepare(samples)
    with pytest.raises(MediaError) as caught:
        known(samples[3])
    assert caught.value.reason is Reason.EMPTY
