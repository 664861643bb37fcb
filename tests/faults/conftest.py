"""Faults: `pytest tests/faults` is the short form, `make faults` the long one, which writes docs/reliability.md."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import child
from tests.faults.runs import Life, Run, start_server
from tests.faults.table import Row, append_row, read_rows, write_page


def pytest_addoption(parser):
    parser.addoption("--faults", choices=["short", "long"], default="short", help="how often each fault strikes")
    parser.addoption("--faults-page", type=Path, help="file that takes the table, if every test passes")


def form(config):
    return config.getoption("--faults", default="short")


def rows_file(config):
    """Rows are written as they come, by whichever process ran the test; None where no page is asked for."""
    page = config.getoption("--faults-page", default=None)
    return page and page.with_suffix(".rows.jsonl").absolute()


def pytest_sessionstart(session):
    rows = rows_file(session.config)
    if rows and not hasattr(session.config, "workerinput"):
        rows.unlink(missing_ok=True)


def pytest_sessionfinish(session, exitstatus):
    rows = rows_file(session.config)
    if rows and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        write_page(session.config.getoption("--faults-page"), read_rows(rows), form(session.config))
        rows.unlink()


@pytest.fixture(scope="session")
def times(pytestconfig) -> Callable[[int, int], int]:
    """How often: `times(short, long)`."""
    return lambda short, long: long if form(pytestconfig) == "long" else short


@pytest.fixture(scope="session")
def record(pytestconfig) -> Callable[[str, str, int, str], None]:
    """Add a row to the table: `record(fault, where, count, outcome)`."""
    path = rows_file(pytestconfig)

    def write(fault: str, where: str, count: int, outcome: str) -> None:
        if path:
            append_row(path, Row(fault, where, count, outcome))

    return write


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A directory with a small corpus, untrained tiny backbones and their features."""
    start_server()
    root = tmp_path_factory.mktemp("faults")
    life = Life(child.make_world, root, output=root / "world.txt")
    assert life.wait() == 0, life.said[-3000:]
    return root


@pytest.fixture(scope="session")
def make_run(world) -> Callable[..., Run]:
    """A run of the whole curriculum in that world: `make_run(output, "key=value", ...)`."""
    return lambda output, *overrides: Run(world, output, *overrides)


@pytest.fixture(scope="session")
def whole(make_run, world) -> Run:
    """The uninterrupted run that all others are compared with."""
    run = make_run(world / "whole")
    run.finish()
    return run
