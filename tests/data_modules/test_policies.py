"""What becomes of bad entries and bad clips: an error with a name, or a counted skip; never another sample, never silence."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from data_modules.datasets import read_annotation
from data_modules.fixtures.catalogue import FIXTURES, write_fixture
from data_modules.fixtures.fixture import Fixture
from data_modules.inputs import MediaInputs
from data_modules.loading import SkipReport
from data_modules.media import MediaError
from data_modules.module import DatasetModule
from data_modules.named import CREMAD, M3ED
from data_modules.readers.annotation import AnnotationError
from data_modules.readers.lookup import Lookup

SMALL = MediaInputs(frames=2, size=16, clips=1, seconds=0.1)
BAD = [fixture for fixture in FIXTURES if fixture.broken or fixture.faults]


def module_of(fixture: Fixture, root: Path, **options: Any) -> DatasetModule:
    kind = type("Module", (DatasetModule,), {"dataset": fixture.dataset})
    return kind(root, layout=fixture.layout, inputs=SMALL, batch_size=3, **options)


@pytest.mark.parametrize("fixture", BAD, ids=[fixture.name for fixture in BAD])
def test_every_listed_entry_is_seen_or_counted_under_its_reason(tmp_path: Path, fixture: Fixture):
    write_fixture(fixture, tmp_path)
    module = module_of(fixture, tmp_path, on_bad="skip")
    module.setup()
    for split, samples in (
        ("train", list(chain(*module.groups.values()))),
        ("validation", module.validation),
        ("test", module.test),
    ):
        name = f"{fixture.dataset}/{split}"
        if name not in module.skips.annotations:
            assert not samples
            continue
        annotation = read_annotation(fixture.dataset, tmp_path, split, layout=fixture.layout)
        assert {str(e.place): e.fault for e in annotation.rejected} == dict(fixture.faults.get(split, {}))
        own = SkipReport()
        module.test, module.skips = samples, own
        seen = {i for batch in module.test_dataloader() or [] for i in batch["id"]}
        module.skips = own
        own.check()
        unreadable = {sample.removeprefix(f"{fixture.dataset}/") for samples in own.reasons.values() for sample in samples}
        assert seen | unreadable == {sample.id for sample in samples}
        assert not seen & unreadable
        assert unreadable == {i for i in fixture.broken if i in {s.id for s in samples}}
        assert annotation.listed == len(seen) + len(unreadable) + len(annotation.rejected)
        module = module_of(fixture, tmp_path, on_bad="skip")
        module.setup()


def test_the_report_is_a_table_and_says_what_was_left_out(tmp_path: Path):
    fixture = next(each for each in BAD if each.faults and each.broken)
    write_fixture(fixture, tmp_path)
    strict = module_of(fixture, tmp_path)
    with pytest.raises(AnnotationError):
        strict.setup()
    module = module_of(fixture, tmp_path, on_bad="skip")
    module.setup()
    for _ in module.test_dataloader() or []:
        pass
    split, faults = next(iter(fixture.faults.items()))
    rows = [row for row in module.skips.rows() if row["of"] == f"{fixture.dataset}/{split}"]
    assert sum(row["count"] for row in rows) == len(faults)
    assert {place for row in rows for place in row["samples"]} == set(faults)
    assert f"{len(faults)} rejected" in str(module.skips)
    assert module.skips.as_dict()["annotations"][f"{fixture.dataset}/{split}"]["listed"] > len(faults)


def test_counts_that_do_not_add_up_are_an_error():
    report = SkipReport(listed=5, seen=3, counts={"missing": 1})
    with pytest.raises(RuntimeError, match=r"3 draws seen \+ 1 skipped .* is not 5 listed"):
        report.check()


def test_the_report_says_what_was_seen_of_what_was_drawn_and_what_was_substituted():
    report = SkipReport(listed=81, seen=57, counts={"missing": 24}, reasons={"missing": {"a/1": "no such file"}})
    assert str(report).startswith("57 seen, 24 skipped (of 81 drawn):\n")
    report.substituted = 2
    assert str(report).startswith("57 seen, 24 skipped (of 81 drawn), 2 substituted:\n")
    assert report.rows()[-1] | {"samples": {}} == {
        "stage": "media", "of": "", "reason": "substituted", "count": 2, "samples": {}
    }  # fmt: skip


def test_a_data_set_can_be_divided_anew(tmp_path: Path):
    fixture = next(each for each in FIXTURES if each.dataset == "CREMA-D")
    write_fixture(fixture, tmp_path)
    options: dict[str, Any] = {"inputs": SMALL, "on_bad": "skip", "layout": fixture.layout}
    module = CREMAD(tmp_path, split_by="actor", shares={"train": 0.5, "test": 0.5}, **options)
    module.setup()
    train, test = ({s.meta["actor"] for s in samples} for samples in (list(chain(*module.groups.values())), module.test))
    assert train
    assert test
    assert not train & test
    released = CREMAD(tmp_path, subset="as_released", **options)
    released.setup()
    assert released.validation == released.test == []
    with pytest.raises(ValueError, match="choose one"):
        M3ED(tmp_path, subset="as_released", split_by="dialogue")


def test_an_absolute_path_and_a_way_up_are_refused(tmp_path: Path):
    (tmp_path / "data").mkdir()
    lookup = Lookup(tmp_path / "data", audio=("audio",))
    for name in ("../../etc/passwd", "/etc/passwd", "../../elsewhere/clip"):
        with pytest.raises(MediaError, match="outside_root"):
            lookup.media(name)
