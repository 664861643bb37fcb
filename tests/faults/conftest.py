"""Faults: `pytest tests/faults` is the short form, `make faults` the long one, which writes docs/reliability.md."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import child
from tests.faults.runs import Life, Run, start_server
from tests.faults.table import Row, write_page

ROWS = pytest.StashKey[list[Row]]()


def pytest_addoption(parser):
    parser.addoption("--faults", choices=["short", "long"], default="short", help="how often each fault strikes")
    parser.addoption("--faults-page", type=Path, help="file that takes the table, if every test passes")


def pytest_configure(config):
    config.stash[ROWS] = []


def pytest_sessionfinish(session, exitstatus):
    page = session.config.getoption("--faults-page", default=None)
    if page and exitstatus == 0:
        write_page(page, session.config.stash[ROWS])


@pytest.fixture(scope="session")
def times(pytestconfig) -> Callable[[int, int], int]:
    """How often: `times(short, long)`."""
    long = pytestconfig.getoption("--faults", default="short") == "long"
    return lambda short, full: full if long else short


@pytest.fixture(scope="session")
def record(pytestconfig) -> Callable[[str, str, int, str], None]:
    """Add a row to the table: `record(fault, where, count, outcome)`."""
    rows = pytestconfig.stash.get(ROWS, [])
    return lambda fault, where, count, outcome: rows.append(Row(fault, where, count, outcome))


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
