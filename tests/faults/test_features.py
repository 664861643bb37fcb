"""The feature store: an extraction killed anywhere continues, damage is found and redone, two processes write at once."""

import json
import random
import shutil
import time
from pathlib import Path

import pytest
import torch

from data_modules.features import DamagedShard, FeatureSpace
from tests.faults import child
from tests.faults.runs import Life


def contents(store: Path) -> dict[str, dict[str, dict[str, torch.Tensor]]]:
    """Space -> clip -> name -> tensor, read as training reads it."""
    spaces = {path.parent.name: json.loads(path.read_text()) for path in store.glob("*/space.json")}
    opened = {name: FeatureSpace(store / name, identity) for name, identity in spaces.items()}
    return {name: {key: space.read(key) for key in space.keys()} for name, space in opened.items()}  # noqa: SIM118


def equal(left, right) -> bool:
    return left.keys() == right.keys() and all(
        clips.keys() == right[space].keys()
        and all(
            features.keys() == right[space][key].keys()
            and all(torch.equal(value, right[space][key][name]) for name, value in features.items())
            for key, features in clips.items()
        )
        for space, clips in left.items()
    )


@pytest.fixture
def extract(world, tmp_path):
    """Start `nano-emox features` into a store of its own."""
    options = [o for o in child.overrides(world) if not o.startswith("cache=")]

    def start(*more: str, store: str = "store") -> Life:
        arguments = ["features", *more, "--preset", "tiny", *options, f"cache={tmp_path / store}", f"output={tmp_path}"]
        name = f"life{len(list(tmp_path.glob('life*')))}.txt"
        return Life(child.command, arguments, "", "flush_often", output=tmp_path / name)

    return start


def test_an_extraction_killed_at_random_moments_continues(extract, world, tmp_path, times, record):
    kills, randomly, started, progress = times(4, 40), random.Random(3), 0, []
    reference = contents(world / "features")
    while len(progress) < kills:
        life = extract()
        shards = tmp_path / "store"
        before = len(list(shards.glob("*/*.safetensors")))
        # From the start of a process to its last clip; most strike between the first shard that it writes and the last.
        life.until(lambda before=before, shards=shards: len(list(shards.glob("*/*.safetensors"))) > before)
        time.sleep(randomly.uniform(0, 0.4))
        killed = life.alive
        life.signal()
        life.process.join()
        started += 1
        if killed:
            partial = contents(shards) if shards.exists() else {}
            for space, clips in partial.items():  # whatever is there is whole
                assert equal({space: clips}, {space: {key: reference[space][key] for key in clips}})
            progress.append(sum(map(len, partial.values())))
        else:
            shutil.rmtree(shards)  # it was done: begin again
    life = extract()
    assert life.wait() == 0, life.said[-2000:]
    assert equal(contents(tmp_path / "store"), reference)
    record("SIGKILL during feature extraction", "at random moments, then continued", len(progress), "store complete and equal")


def test_damaged_shards_are_never_read_and_are_redone(extract, world, tmp_path, times, record):
    randomly, rounds = random.Random(4), times(1, 10)
    for _ in range(rounds):
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        shutil.copytree(world / "features", tmp_path / "store")
        shards = sorted((tmp_path / "store").glob("*/*.safetensors"))
        flipped, short, index = randomly.sample(shards, 3)
        data = bytearray(flipped.read_bytes())
        data[randomly.randrange(len(data))] ^= 1 << randomly.randrange(8)
        flipped.write_bytes(data)
        short.write_bytes(short.read_bytes()[: randomly.randrange(1, short.stat().st_size)])
        torn = index.with_suffix(".json")
        torn.write_bytes(torn.read_bytes()[:-9])
        for path in (flipped, short):
            identity = json.loads((path.parent / "space.json").read_text())
            space = FeatureSpace(path.parent, identity)
            key = json.loads(path.with_suffix(".json").read_text())["keys"][0]
            with pytest.raises(DamagedShard, match=rf"{path.name}.*features --verify"):
                space.read(key)
            with pytest.raises(DamagedShard, match=r"features --verify"):
                space.require([key])
        life = extract("--verify")
        assert life.wait() == 0, life.said[-2000:]
        assert "damaged shards dropped" in life.said
        assert equal(contents(tmp_path / "store"), contents(world / "features"))
    outcome = "named before anything of it was read; dropped and redone"
    record("shard with a flipped bit, cut short, or with a torn index", "`features --verify`", 3 * rounds, outcome)


def test_two_extractions_at_once(extract, world, tmp_path, record):
    lives = [extract(), extract()]
    for life in lives:
        assert life.wait() == 0, life.said[-2000:]
    assert equal(contents(tmp_path / "store"), contents(world / "features"))
    record("two extractions at once into one store", "2 processes", 1, "both finish; store complete and equal")
