"""Lists of one's own clips: what a line may say, what is wrong with it by line number, and the way into a data module."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_modules import Generic
from data_modules.datasets import load_samples, read_annotation
from data_modules.readers.annotation import AnnotationError, Fault
from data_modules.readers.own_clips import FIELDS
from data_modules.record import ChainOfEmpathy, Media, Sample, Task, Turn

PAGE = (Path(__file__).parents[2] / "docs/datasets/generic.md").read_text()


def example(kind: str) -> str:
    found = re.search(f"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def write(path: Path, *rows: Any, encoding: str = "utf-8", end: str = "\n") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def of(root: Path, name: str = "list.jsonl", split: str = "train") -> list[Sample]:
    return load_samples(f"generic:{name}", root, split)


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n")])
def test_the_example_of_the_page_is_read_as_it_says(tmp_path: Path, encoding: str, end: str):
    write(tmp_path / "list.jsonl", *example("jsonl").strip().split("\n"), encoding=encoding, end=end)
    name, clips = "generic:list.jsonl", tmp_path / "clips"
    classes = ("calm", "surprise")
    assert of(tmp_path) == [
        Sample(
            "kitchen-1", name, "train", (Task.MER,), Media(clips / "kitchen.mp4", span=(0.0, 1.0)), subtitle="No way!",
            label="surprise", candidates=classes, meta={"speaker": "Ann"},
        ),
        Sample(
            "kitchen-2", name, "train", (Task.MER, Task.OV_MER, Task.ERI), Media(clips / "kitchen.mp4", span=(1.0, 2.0)), subtitle="",
            label="calm", candidates=classes, words=("calm", "tired"), description="The voice is level, the shoulders hang.",
        ),
        Sample(
            "clips/talk", name, "train", (Task.ERG,), Media(clips / "talk.mp4"), subtitle="I failed the exam.",
            history=(Turn("speaker", "Hi."), Turn("listener", "What is wrong?")),
            chain=ChainOfEmpathy("an exam", "sad", "failing it", "comfort"), response="I am sorry. Shall we look at it together?",
        ),
    ]  # fmt: skip
    (scored,) = of(tmp_path, split="validation")
    assert (scored.id, scored.tasks, scored.score, scored.score_range) == ("clips/call", (Task.MSA,), 0.4, (-1.0, 1.0))
    assert scored.media == Media(audio=clips / "call.wav")
    (intent,) = of(tmp_path, split="test")
    assert (intent.tasks, intent.label, intent.candidates) == ((Task.MIR,), "Leave", ("Greet", "Leave"))


def test_the_table_of_the_page_is_read_as_it_says(tmp_path: Path):
    (tmp_path / "list.csv").write_text(example("csv"))
    train, test = of(tmp_path, "list.csv")[0], of(tmp_path, "list.csv", "test")[0]
    assert (train.id, train.words, train.tasks) == ("a", ("surprised", "amused"), (Task.MER, Task.OV_MER))
    assert (test.subtitle, test.words, test.candidates) == ("", None, ("calm", "surprise"))


def test_the_page_names_every_field():
    assert {name: FIELDS[name] for name in FIELDS} == dict(re.findall(r"\| `(\w+)` \| (.*) \|", PAGE))


GOOD = {"video": "a.mp4", "label": "calm"}
WRONG: list[tuple[dict[str, Any] | str, Fault, str]] = [
    ('{"video": "b.mp4", "label"', Fault.MALFORMED, "not JSON: .* at column"),
    ('{"video": "b.mp4", "label": "calm", "subtitle": "\\ud800"}', Fault.MALFORMED, "not valid Unicode: .* surrogate"),
    ('{"video": "b.mp4", "label": "calm", "score": 1' + "0" * 400 + "}", Fault.MALFORMED, "not of the expected form"),
    ("[" * 100_000, Fault.MALFORMED, "nested too deeply"),
    ({"video": "b.mp4", "lable": "calm"}, Fault.MALFORMED, "field 'lable' is unknown; did you mean 'label'"),
    ({"video": "b\0.mp4", "label": "calm"}, Fault.MALFORMED, "'video' has a NUL character"),
    ({"video": "b.mp4", "label": ""}, Fault.MISSING_FIELD, "answers no task"),
    ({"video": "b.mp4", "label": "calm", "tasks": 3}, Fault.MALFORMED, "not of the expected form"),
    ("[1]", Fault.MALFORMED, "expected an object, found a list"),
    ({"label": "calm"}, Fault.MISSING_FIELD, "neither a video nor an audio"),
    ({"video": "b.mp4"}, Fault.MISSING_FIELD, "answers no task"),
    ({"video": "b.mp4", "tasks": "msa"}, Fault.MISSING_FIELD, "task 'msa' needs the field 'score'"),
    ({"video": "b.mp4", "tasks": ["mer", "sing"], "label": "calm"}, Fault.UNKNOWN_LABEL, r"tasks \['sing'\] are none of"),
    ({"video": "b.mp4", "label": "calm", "candidates": ["sad"]}, Fault.UNKNOWN_LABEL, r"label 'calm' is none of \['sad'\]"),
    ({"video": "b.mp4", "label": 3}, Fault.MALFORMED, "'label' has to be text, not 3"),
    ({"video": "b.mp4", "words": "calm"}, Fault.MALFORMED, "'words' has to be a list of texts"),
    ({"video": "b.mp4", "score": "high"}, Fault.MALFORMED, "'score' has to be a number"),
    ('{"video": "b.mp4", "score": NaN}', Fault.MALFORMED, "'score' has to be a number"),
    ({"video": "b.mp4", "score": 4, "score_max": 3}, Fault.OUT_OF_RANGE, "score 4 is outside"),
    ({"video": "b.mp4", "label": "calm", "start": 1}, Fault.MISSING_FIELD, "only one of start and end"),
    ({"audio": "b.wav", "label": "calm", "start": 1, "end": 2}, Fault.MALFORMED, "start and end are times in a video"),
    ({"video": "b.mp4", "label": "calm", "start": 2, "end": 1}, Fault.MALFORMED, "0 <= start < end"),
    ({"video": "b.mp4", "label": "calm", "split": "dress rehearsal"}, Fault.NO_SPLIT, "'dress rehearsal' is none of"),
    ({"video": "b.mp4", "response": "hm", "history": [{"text": "hi"}]}, Fault.MISSING_FIELD, "no field 'role'"),
    ({"video": "b.mp4", "response": "hm", "chain": {"cause": "x"}}, Fault.MALFORMED, "unexpected keyword"),
    ({"video": "../b.mp4", "label": "calm"}, Fault.OUTSIDE_ROOT, "leads out of"),
    ({"video": "/etc/passwd", "label": "calm"}, Fault.OUTSIDE_ROOT, "leads out of"),
    ({"video": "https://x.org/b.mp4", "label": "calm"}, Fault.OUTSIDE_ROOT, "an address"),
    ({"video": "link.mp4", "label": "calm"}, Fault.OUTSIDE_ROOT, "leads out of"),
    ({"video": "linked/b.mp4", "label": "calm"}, Fault.OUTSIDE_ROOT, "leads out of"),
    ({"video": "c.mp4", "id": "a", "label": "calm", "split": "test"}, Fault.DUPLICATE_ID, "'a' again; first in line 1"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "fault", "message"), WRONG)
def test_what_is_wrong_is_said_with_its_line_and_the_others_are_read(
    tmp_path: Path, row: dict[str, Any] | str, fault: Fault, message: str
):
    root = tmp_path / "mine"
    root.mkdir()
    (root / "link.mp4").symlink_to("/etc/passwd")
    (root / "linked").symlink_to(tmp_path)
    write(root / "list.jsonl", GOOD, "", row, {**GOOD, "video": "d.mp4"})
    annotation = read_annotation("generic:list.jsonl", root, "all")
    assert [sample.id for sample in annotation.samples] == ["a", "d"]
    (error,) = annotation.rejected
    assert (error.place, error.fault) == (3, fault)
    assert re.search(rf"list\.jsonl:3: .*{message}", str(error))


def test_a_slip_in_a_header_and_another_separator_are_errors_of_the_file(tmp_path: Path):
    write(tmp_path / "list.csv", "video,lable", "b.mp4,calm")
    with pytest.raises(AnnotationError, match=r"list\.csv:1: field 'lable' is unknown; did you mean 'label'"):
        load_samples("generic:list.csv", tmp_path, "train", on_bad="skip")
    write(tmp_path / "list.csv", "video;label", "b.mp4;calm")
    with pytest.raises(AnnotationError, match=r"list\.csv:1: separated by semicolons \(;\)\? Use commas"):
        of(tmp_path, "list.csv")


def test_an_empty_list_says_so(tmp_path: Path):
    write(tmp_path / "list.jsonl", "")
    with pytest.raises(AnnotationError, match="the list is empty"):
        of(tmp_path)


def test_what_a_rejected_line_leaves_empty_or_cannot_be_written_is_no_class(tmp_path: Path):
    write(tmp_path / "list.jsonl", GOOD, {"video": "b.mp4", "label": " "}, r'{"video": "c.mp4", "label": "\ud800"}')
    annotation = read_annotation("generic:list.jsonl", tmp_path, "train")
    assert [sample.candidates for sample in annotation.samples] == [("calm",)]
    assert [error.place for error in annotation.rejected] == [2, 3]


def test_a_list_has_to_lie_below_the_root_and_have_a_known_ending(tmp_path: Path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "list.jsonl", GOOD)
    write(tmp_path / "data/list.txt", GOOD)
    with pytest.raises(ValueError, match="leads out of"):
        of(tmp_path / "data", "../list.jsonl")
    with pytest.raises(AnnotationError, match=r"expected a file that ends in \.jsonl, \.csv or \.tsv"):
        of(tmp_path / "data", "list.txt")
    with pytest.raises(FileNotFoundError, match=r"data/none\.jsonl is missing; write it as docs/datasets/generic\.md says"):
        of(tmp_path / "data", "none.jsonl")


def test_a_data_module_trains_on_a_list(tmp_path: Path, make_clip: Callable[..., Path]):
    make_clip(tmp_path / "mine/a.mp4")
    (tmp_path / "mine").joinpath("b.mp4").symlink_to(tmp_path / "mine/a.mp4")
    rows = [{"video": "a.mp4", "label": "calm"}, {"video": "b.mp4", "label": "sad"}]
    write(tmp_path / "mine/list.jsonl", *rows, {**rows[0], "id": "t", "split": "test"}, {"video": "a.mp4"})
    data = Generic(tmp_path / "mine/list.jsonl", batch_size=2, on_bad="skip")
    data.setup()
    (batch,) = list(data.train_dataloader())
    assert sorted(batch["label"]) == ["calm", "sad"]
    assert batch["inputs"]["frames"].shape == (2, 8, 3, 224, 224)
    assert [batch["id"] for batch in data.test_dataloader()] == [["t"]]
    with pytest.raises(AnnotationError, match=r"list\.jsonl:4"):
        Generic(tmp_path / "mine/list.jsonl").setup()
