"""Every layout of every data set: its miniature is written, read, and gives exactly the records that it should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_modules.datasets import DATASETS, load_samples, read_annotation
from data_modules.fixtures.catalogue import FIXTURES, write_fixture
from data_modules.fixtures.fixture import Fixture
from data_modules.inputs import MediaInputs
from data_modules.media import MediaError
from data_modules.readers.annotation import AnnotationError

INPUTS = MediaInputs(frames=2, size=16, clips=2, seconds=0.1)


@pytest.fixture(scope="module", params=FIXTURES, ids=[fixture.name for fixture in FIXTURES])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Fixture, Path]:
    fixture: Fixture = request.param
    root = tmp_path_factory.mktemp("data")
    write_fixture(fixture, root)
    return fixture, root


def test_the_layout_is_recognised(written: tuple[Fixture, Path]):
    fixture, root = written
    assert DATASETS[fixture.dataset].layout_in(root) == fixture.layout


def test_it_gives_exactly_the_expected_records(written: tuple[Fixture, Path]):
    fixture, root = written
    for split, expected in fixture.expected(root).items():
        annotation = read_annotation(fixture.dataset, root, split, layout=fixture.layout)
        assert annotation.samples == expected
        faults = fixture.faults.get(split, {})
        assert {str(error.place): error.fault for error in annotation.rejected} == dict(faults)
        assert annotation.listed == len(expected) + len(faults)
        for sample in annotation.samples:
            assert list(sample.candidates) == sorted(sample.candidates)
            json.dumps(dict(sample.meta))


def test_a_bad_entry_is_an_error_unless_it_is_to_be_skipped(written: tuple[Fixture, Path], caplog: pytest.LogCaptureFixture):
    fixture, root = written
    for split, faults in fixture.faults.items():
        with pytest.raises(AnnotationError):
            load_samples(fixture.dataset, root, split, layout=fixture.layout)
        kept = load_samples(fixture.dataset, root, split, layout=fixture.layout, on_bad="skip")
        assert kept == fixture.expected(root)[split]
        assert f"{len(faults)} of {len(faults) + len(kept)} entries left out" in caplog.text


def test_each_broken_clip_has_its_reason_and_every_other_clip_is_read(written: tuple[Fixture, Path]):
    fixture, root = written
    reasons = {}
    for samples in fixture.expected(root).values():
        for sample in samples:
            try:
                assert INPUTS(sample)
            except MediaError as error:
                reasons[sample.id] = error.reason
    assert reasons == dict(fixture.broken)
