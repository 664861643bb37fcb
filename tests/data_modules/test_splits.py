"""Splits by group, and clips that are in training and in evaluation at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from data_modules.datasets import load_samples
from data_modules.features import ContentKeys
from data_modules.fixtures.catalogue import fixtures_of, write_fixture
from data_modules.record import Media, Sample, Task
from data_modules.splits import grouped_split, overlap, without_overlap

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def acted(actors: int, clips: int) -> list[Sample]:
    return [
        Sample(f"{actor}_{clip}", "toy", "all", (Task.MER,), Media(Path("x.mp4")), meta={"actor": actor})
        for actor in range(actors)
        for clip in range(clips)
    ]


def clips(dataset: str, ids: list[str], split: str = "train", folder: Path = Path()) -> list[Sample]:
    return [Sample(name, dataset, split, (Task.ERI,), Media(folder / f"{name}.mp4"), description="x") for name in ids]


def test_no_actor_is_in_two_parts_and_nothing_is_lost():
    samples = acted(91, 80)
    parts = grouped_split(samples, "actor", SHARES, seed=1)
    actors = {name: {sample.meta["actor"] for sample in part} for name, part in parts.items()}
    assert set().union(*actors.values()) == set(range(91))
    assert sum(map(len, actors.values())) == 91
    assert sorted(sample.id for part in parts.values() for sample in part) == sorted(sample.id for sample in samples)
    for name, share in SHARES.items():
        assert len(parts[name]) / len(samples) == pytest.approx(share, abs=1 / 91)
        assert {sample.split for sample in parts[name]} == {name}


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_the_samples():
    samples = acted(20, 3)
    shuffled = random.Random(0).sample(samples, len(samples))
    one, other = (grouped_split(each, "actor", SHARES, seed=1) for each in (samples, shuffled))
    assert {name: {s.id for s in part} for name, part in one.items()} == {
        name: {s.id for s in part} for name, part in other.items()
    }
    assert grouped_split(samples, "actor", SHARES, seed=2) != one


def test_every_part_gets_a_group_however_uneven_they_are():
    samples = [
        *acted(3, 1),
        *[Sample(f"9_{n}", "toy", "all", (Task.MER,), Media(Path("x")), meta={"actor": 9}) for n in range(500)],
    ]
    for seed in range(20):
        assert all(grouped_split(samples, "actor", SHARES, seed=seed).values())
    with pytest.raises(ValueError, match="2 groups cannot be divided"):
        grouped_split(acted(2, 5), "actor", SHARES)
    with pytest.raises(ValueError, match=r"toy/0_0 has no 'speaker'; its meta has \['actor'\]"):
        grouped_split(samples, "speaker", SHARES)
    by_clip = grouped_split(acted(2, 50), lambda sample: sample.id.split("_")[1], {"a": 1, "b": 1})
    assert len(by_clip["a"]) == len(by_clip["b"]) == 50


def test_a_real_layout_is_split_by_its_actors(tmp_path: Path):
    write_fixture(fixtures_of("CREMA-D")[0], tmp_path)
    samples = load_samples("CREMA-D", tmp_path, "all", on_bad="skip")
    parts = grouped_split(samples, "actor", {"train": 1, "test": 1})
    assert not {s.meta["actor"] for s in parts["train"]} & {s.meta["actor"] for s in parts["test"]}


def test_overlap_by_name_is_within_a_family_reported_and_removable():
    train = {"MER-Caption+": clips("MER-Caption+", ["sample_1", "sample_2", "sample_3"]), "MELD": clips("MELD", ["sample_1"])}
    evaluation = {
        "OV-MERD": clips("OV-MERD", ["sample_2", "sample_9"]),
        "MER2024": clips("MER2024", ["sample_3", "sample_2"]),
        "CH-SIMS": clips("CH-SIMS", ["sample_1"]),  # another way of naming: not the same clip
    }
    found = overlap(train, evaluation)
    assert [(each.train, each.evaluation, [a for a, _ in each.pairs], each.listed, each.by) for each in found] == [
        ("MER-Caption+", "OV-MERD", ["sample_2"], 2, "name"),
        ("MER-Caption+", "MER2024", ["sample_2", "sample_3"], 2, "name"),
    ]
    assert str(found[0]) == "MER-Caption+ trains on 1 of the 2 clips of OV-MERD, by name: sample_2"
    kept = without_overlap(train, found)
    assert {name: [sample.id for sample in samples] for name, samples in kept.items()} == {
        "MER-Caption+": ["sample_1"], "MELD": ["sample_1"],
    }  # fmt: skip
    assert overlap(kept, evaluation) == []


def test_sims_is_inside_sims_v2():
    found = overlap(
        {"CH-SIMSv2": clips("CH-SIMSv2", ["video_0001_0001", "aqgy1_1"])}, {"CH-SIMS": clips("CH-SIMS", ["video_0001_0001"])}
    )
    assert [each.pairs for each in found] == [(("video_0001_0001", "video_0001_0001"),)]


def test_overlap_by_content_finds_renamed_clips(tmp_path: Path):
    for name, content in (("old", b"one"), ("new", b"one"), ("other", b"two")):
        (tmp_path / f"{name}.mp4").write_bytes(content)
    train, test = clips("A", ["old", "other", "missing"], folder=tmp_path), clips("B", ["new", "lost"], folder=tmp_path)
    assert overlap({"A": train}, {"B": test}) == []
    found = overlap({"A": train}, {"B": test}, ContentKeys())
    assert [(each.by, each.pairs) for each in found] == [("content", (("old", "new"),))]
    assert [sample.id for sample in without_overlap({"A": train}, found)["A"]] == ["other", "missing"]
