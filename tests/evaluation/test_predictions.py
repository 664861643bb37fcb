"""The prediction log: what is written is on disk, and a killed run continues at the next unseen clip."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from data_modules.record import ChainOfEmpathy, Media, Sample, Task
from nano_emox.evaluation import Prediction, PredictionLog, read_predictions


def prediction(name: str, task: str = "mer") -> Prediction:
    text = f"the character's emotional state is happy, 高兴 {name}"
    return Prediction(name, "MER2023", task, "h1", text, True, words=("happy",), gold_label="happy")


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "run" / "predictions.jsonl"
    with PredictionLog(path) as log:
        log.append(prediction("a"))
        log.append(prediction("a", "ov_mer"))
    assert read_predictions(path) == [prediction("a"), prediction("a", "ov_mer")]
    assert read_predictions(tmp_path / "none.jsonl") == []


def test_a_log_continues(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionLog(path) as log:
        log.append(prediction("a"))
    with PredictionLog(path) as log:
        assert ("MER2023", "mer", "a") in log
        assert ("MER2023", "msa", "a") not in log
        assert log.prompt_hash(("MER2023", "mer", "a")) == "h1"
        with pytest.raises(ValueError, match="already answered"):
            log.append(prediction("a"))
        log.append(prediction("b"))
        assert len(log) == 2


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionLog(path) as log:
        log.append(prediction("a"))
        log.append(prediction("b"))
    whole = path.read_bytes()
    for cut in (1, 5, 100):
        path.write_bytes(whole[:-cut])
        assert [each.id for each in read_predictions(path)] == ["a"]
        with PredictionLog(path) as log:
            log.append(prediction("b"))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("line", [b"{not json}\n", b'{"id": "x", "colour": 1}\n', b"3\n", b'{"id": "x"}\n'])
def test_a_broken_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionLog(path) as log:
        log.append(prediction("a"))
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ValueError, match=r"predictions\.jsonl:2"):
        read_predictions(path)


def test_an_answer_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with PredictionLog(path) as log:
        log.append(prediction("a"))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ValueError, match="already in line 1"):
        read_predictions(path)


def write_until_killed(path: Path, written: Any) -> None:
    with PredictionLog(path) as log:
        for index in range(len(log), 100_000):
            log.append(prediction(str(index)))
            written.value = index + 1


def test_a_killed_writer_loses_at_most_the_line_it_writes(tmp_path: Path) -> None:
    path, context = tmp_path / "predictions.jsonl", multiprocessing.get_context("fork")
    for stop_at in (3, 7, 20, 21, 40):
        written = context.Value("i", 0)
        writer = context.Process(target=write_until_killed, args=(path, written))
        writer.start()
        while written.value < stop_at and writer.is_alive():
            time.sleep(0.0005)
        writer.kill()
        writer.join()
        ids = [int(each.id) for each in read_predictions(path)]
        assert ids == list(range(len(ids)))
        assert len(ids) >= written.value >= stop_at


def test_gold_comes_from_the_sample() -> None:
    chain = ChainOfEmpathy("moving out", "lonely", "an empty flat", "comfort")
    sample = Sample("1", "AvaMERG", "test", (Task.ERG,), Media(video=Path("a.mp4")), chain=chain, response="I am here.")
    made = Prediction.of(sample, Task.ERG, "h", "…", parsed=False)
    assert (made.gold_emotion, made.gold_reply, made.emotion) == ("lonely", "I am here.", None)
    with pytest.raises(ValueError, match="dance"):
        Prediction("a", "b", "dance", "h", "", False)
