"""Two gloo processes with uneven shares, one of them empty at times, give the one-process result to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from nano_emox.metrics import (
    DistinctN,
    EmotionWheelHitRate,
    EmotionWheelSetScore,
    EmpathyScores,
    IntentScores,
    OverlapJudge,
    SentimentWAF,
)

WORDS = ["happy", "sad", "angry", "worried", "calm", "proud", "disgusted", "surprised", "lonely", "unheard-of"]
SAMPLES = 41
SHARES = {"uneven": slice(0, 7), "empty": slice(0, 0)}  # what rank 0 scores; rank 1 scores the rest


def cases() -> dict[str, tuple[Any, tuple[list, ...]]]:
    generator = np.random.default_rng(0)

    def words(most: int) -> list[list[str]]:
        return [list(generator.choice(WORDS, size=generator.integers(1, most))) for _ in range(SAMPLES)]

    labels = list(generator.choice(WORDS[:6], size=SAMPLES)), list(generator.choice(WORDS[:6], size=SAMPLES))
    sentiment = list(generator.choice(["positive", "negative", "neutral"], size=SAMPLES))
    replies = [" ".join(generator.choice(WORDS, size=generator.integers(0, 12))) for _ in range(SAMPLES)]
    judged = [None if score < 0.5 else float(score) for score in generator.uniform(0, 10, size=SAMPLES)]
    return {
        "hit": (EmotionWheelHitRate(), (words(5), words(2))),
        "set": (EmotionWheelSetScore(), (words(6), words(4))),
        "sentiment": (SentimentWAF(), (sentiment, list(generator.normal(size=SAMPLES)))),
        "intent": (IntentScores(WORDS[:6]), labels),
        "empathy": (EmpathyScores("none", "miss"), labels),
        "sentence": (DistinctN(3), (replies,)),
        "corpus": (DistinctN(2, "corpus"), (replies,)),
        "judge": (OverlapJudge(), (judged, judged[::-1])),
    }


def scores_of(share: slice | None) -> dict[str, Any]:
    scores = {}
    for name, (metric, columns) in cases().items():
        mine = [column if share is None else column[share] for column in columns]
        if mine[0]:
            for start in range(0, len(mine[0]), 5):  # several batches
                metric.update(*(column[start : start + 5] for column in mine))
        result = metric.compute()
        result = result if isinstance(result, dict) else {"score": result}
        scores[name] = {key: value.item().hex() for key, value in result.items()}
    return scores


def run_rank(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    scores = {name: scores_of(share if rank == 0 else slice(share.stop, SAMPLES)) for name, share in SHARES.items()}
    (folder / f"rank{rank}.json").write_text(json.dumps(scores))
    dist.destroy_process_group()


def test_two_ranks_equal_one(tmp_path: Path) -> None:
    mp.spawn(run_rank, args=(tmp_path,), nprocs=2)
    expected = scores_of(None)
    assert all(each for each in expected.values())
    for rank in (0, 1):
        for name, scores in json.loads((tmp_path / f"rank{rank}.json").read_text()).items():
            assert scores == expected, (rank, name)
