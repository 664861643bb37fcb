"""The released wheels come from one address or a mirror of it, and only if every byte is as published."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from pathlib import Path
from typing import ClassVar

import pytest

from nano_emox.metrics import FetchError, fetch_wheels, load_lexicon
from nano_emox.metrics.fetch import COMMIT, DIGESTS, SOURCE
from nano_emox.metrics.wheels import FILES

WHEELS = Path(os.environ.get("EMOTION_WHEEL_DIR") or Path(__file__).resolve().parents[3] / "shared" / "emotion_wheel")


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(folder):
        Quiet.asked = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_source_is_pinned_and_names_every_file() -> None:
    assert len(COMMIT) == 40
    assert COMMIT in SOURCE
    assert set(DIGESTS) == set(FILES)


@pytest.mark.skipif(not WHEELS.is_dir(), reason=f"no emotion wheels at {WHEELS}; set EMOTION_WHEEL_DIR")
def test_what_was_fetched_is_a_lexicon_and_is_not_fetched_twice(tmp_path, serve) -> None:
    address = serve(WHEELS)
    assert sorted(fetch_wheels(tmp_path, address)) == sorted(FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)  # no partial file is left
    assert load_lexicon(tmp_path, "corrected").groups(["fear"])[1] == {"fearful"}
    (tmp_path / "wheel3.xlsx").write_bytes(b"damaged")
    Quiet.asked = []
    assert fetch_wheels(tmp_path, address) == ["wheel3.xlsx"]
    assert Quiet.asked == ["/wheel3.xlsx"]


def test_other_bytes_are_refused_and_leave_nothing(tmp_path, serve) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "format.csv").write_text("name,format\nfear,fears\n")
    with pytest.raises(FetchError, match=r"format\.csv: SHA-256 is .*expected ba6de7d6"):
        fetch_wheels(tmp_path / "here", serve(tmp_path / "there"))
    assert list((tmp_path / "here").iterdir()) == []


def test_what_cannot_be_had_is_named(tmp_path, serve) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FetchError, match=r"format\.csv: HTTP 404"):
        fetch_wheels(tmp_path / "here", serve(tmp_path / "there"))
    with pytest.raises(FetchError, match="without a connection"):
        fetch_wheels(tmp_path / "here", "http://127.0.0.1:9", timeout=2)
    with pytest.raises(FetchError, match="http or https"):
        fetch_wheels(tmp_path / "here", "file:///etc")
