"""Drawing: weights, no repeats, and the same samples whatever the ranks, the workers or the cut."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_modules.mixture import Mixture, MixtureSampler, RankSampler, choose_task, draw_of, limited
from data_modules.record import Media, Sample, Task

SIZES = {"large": 100, "small": 7}


def sample(name: str, *tasks: Task) -> Sample:
    return Sample(name, "toy", "train", tasks or (Task.MER,), Media(video=Path("x.mp4")))


def test_weights_are_the_probability_of_a_data_set():
    mixture = Mixture(SIZES, {"large": 1.0, "small": 3.0}, seed=1)
    drawn = mixture.epoch(0, 400)
    assert (drawn < 100).sum() == 100
    assert np.bincount(drawn[drawn >= 100] - 100).max() - np.bincount(drawn[drawn >= 100] - 100).min() <= 1


def test_a_tiny_weight_is_right_on_average():
    mixture = Mixture(SIZES, {"large": 0.98, "small": 0.02}, seed=1)
    counts = [mixture.counts(epoch, 10)[1] for epoch in range(400)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.2, abs=0.05)


def test_nothing_is_repeated_before_all_has_been_seen():
    mixture = Mixture({"only": 30}, seed=3)
    drawn = np.concatenate([mixture.epoch(epoch, 20) for epoch in range(3)])
    assert sorted(drawn[:30]) == sorted(drawn[30:]) == list(range(30))
    assert list(drawn[:30]) != list(drawn[30:])


def test_an_epoch_depends_on_seed_and_epoch_only():
    def epoch(seed: int, number: int) -> list[int]:
        return Mixture(SIZES, seed=seed).epoch(number, 50).tolist()

    later = Mixture(SIZES, seed=1)
    later.epoch(7, 50)
    assert later.epoch(2, 50).tolist() == epoch(1, 2) != epoch(2, 2)
    assert epoch(1, 2) != epoch(1, 3)


def test_ranks_share_the_sequence_of_one_rank():
    mixture = Mixture(SIZES, seed=1)
    alone = list(MixtureSampler(mixture, steps=5, batch_size=6))
    pair = [list(MixtureSampler(mixture, steps=5, batch_size=3, rank=rank, world_size=2)) for rank in (0, 1)]
    for step in range(5):
        assert sorted(alone[step]) == sorted(pair[0][step] + pair[1][step])


def test_a_sampler_goes_on_where_it_was_cut():
    sampler = MixtureSampler(Mixture(SIZES, seed=1), steps=5, batch_size=4)
    whole = list(sampler)
    sampler.skip = 2
    assert list(sampler) == whole[2:]
    assert list(sampler) == whole  # the next epoch starts at its beginning


def test_a_phase_draws_as_if_it_were_trained_alone():
    alone, later = (MixtureSampler(Mixture(SIZES, seed=1), steps=5, batch_size=4) for _ in range(2))
    later.first_epoch = 6
    alone.set_epoch(1)
    later.set_epoch(7)
    assert list(alone) == list(later)
    later.set_epoch(5)
    with pytest.raises(ValueError, match="first epoch, 6"):
        list(later)


def test_scoring_takes_each_once():
    parts = [list(RankSampler(7, rank=rank, world_size=3)) for rank in range(3)]
    assert sorted(n for part in parts for n in part) == list(range(7))


def test_limits_are_subsets():
    samples = [sample(str(n)) for n in range(20)]
    few, more = limited(samples, 5, seed=1), limited(samples, 10, seed=1)
    assert {s.id for s in few} < {s.id for s in more}
    assert limited(samples, None) == limited(samples, 99) == samples


def test_tasks_are_chosen_by_weight():
    weights = {Task.ERI: 1.0, Task.OV_MER: 3.0}
    tasks = [choose_task(sample(str(n), Task.ERI, Task.OV_MER), weights, seed=0, epoch=0) for n in range(2000)]
    assert tasks.count(Task.OV_MER) == pytest.approx(1500, abs=60)
    assert {choose_task(sample("a", Task.ERI, Task.OV_MER), {Task.ERI: 1.0}, 0, epoch) for epoch in range(50)} == {Task.ERI}
    with pytest.raises(ValueError, match=r"toy/a has \['mer'\]"):
        choose_task(sample("a"), {Task.ERI: 1.0}, 0, 0)


def test_draws_are_the_same_in_every_process():
    code = (
        "from data_modules.mixture import *; from data_modules.record import *; from pathlib import Path;"
        "own = [Sample(str(n), 'toy', 'train', (Task.ERI, Task.OV_MER), Media(Path('x'))) for n in range(20)];"
        "print([(draw_of(1, e, s), choose_task(s, None, 1, e).value) for e in range(3) for s in own])"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    own = [sample(str(n), Task.ERI, Task.OV_MER) for n in range(20)]
    here = [(draw_of(1, epoch, s), choose_task(s, None, 1, epoch).value) for epoch in range(3) for s in own]
    assert other.stdout.strip() == str(here)
    assert {task for _, task in here} == {"eri", "ov_mer"}
    assert len({draw_of(1, epoch, sample("a")) for epoch in range(100)}) == 100


@pytest.mark.parametrize(
    ("sizes", "weights", "message"),
    [
        ({"a": 1}, {"b": 1.0}, "name each once"),
        ({"a": 0, "b": 1}, {"a": 0.5, "b": 0.5}, r"\['a'\] have no samples"),
        ({"a": 1}, {"a": 0.0}, "positive sum"),
    ],
)
def test_impossible_mixtures_are_refused(sizes: dict[str, int], weights: dict[str, float], message: str):
    with pytest.raises(ValueError, match=message):
        Mixture(sizes, weights)
