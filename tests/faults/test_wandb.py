"""W&B unreachable, slow, or failing in the middle of a run: training goes on, and the local record is complete."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from experiments.metrics_log import read_metrics

STEPS = 16


class Server:
    """As much of W&B's server as lets a run start; it can begin to refuse or to hang at any moment.

    `mode`: `answers`, `fails` (503), or `hangs`.
    """

    def __init__(self, mode: str) -> None:
        self.mode, self.asked = mode, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked += 1
                if outer.mode == "hangs":
                    time.sleep(600)
                bucket = {
                    "id": "x", "name": "run", "displayName": "run", "description": "", "config": "{}", "sweepName": None,
                    "historyLineCount": 0, "project": {"id": "p", "name": "nano-emox", "entity": {"id": "e", "name": "me"}},
                }  # fmt: skip
                data = {}
                if b"upsertBucket" in body:
                    data = {"upsertBucket": {"bucket": bucket, "inserted": True}}
                if b"createRunFiles" in body:
                    data = {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": []}}
                answer = json.dumps({"data": data}).encode()
                self.send_response(200 if outer.mode == "answers" else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, *_) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": f"http://127.0.0.1:{self.http.server_port}", "WANDB_API_KEY": "x" * 40}


@pytest.fixture
def start(make_run, tmp_path):
    """Start a run of one phase that logs every step: (run, life)."""

    def begin(mode: str, server: Server, name: str = "run"):
        run = make_run(
            tmp_path / name, f"wandb.mode={mode}", "wandb.timeout=3", "run=[phase1_speech]", "trainer.log_every_n_steps=1",
            f"phases.phase1_speech.steps_per_epoch={STEPS // 2}",
        )  # fmt: skip
        return run, run.live(env=server.env)

    return begin


def values(run) -> dict[float, float]:
    return {row["p2e/step"]: row["train/loss"] for row in read_metrics(run.output / "logs/phase1_speech/metrics.jsonl")
            if "train/loss" in row}  # fmt: skip


def complete(run, life) -> None:
    assert life.wait() == 0, life.said[-3000:]
    assert list(values(run)) == [float(step) for step in range(1, STEPS + 1)]
    assert life.said.count("W&B fails") == 1
    assert "Traceback" not in life.said


def recorded_offline(run) -> Iterator[str]:
    """What W&B itself kept on the disk, all pieces of the run, as text."""
    for path in sorted(run.output.glob("wandb/*run-*/*.wandb")):
        yield path.read_bytes().decode("latin-1")


@pytest.mark.parametrize("fault", ["refuses", "fails", "hangs"])
def test_a_server_that_cannot_be_reached(fault, start, times, record):
    if fault == "fails" and times(1, 2) == 1:
        pytest.skip("in the long form")
    server = Server(fault)
    if fault == "refuses":
        server.http.shutdown()
        server.http.server_close()
    run, life = start("online", server)
    complete(run, life)
    assert "recorded offline" in life.said
    assert any("train/loss" in piece for piece in recorded_offline(run))
    record(f"W&B's server {fault}", "when the run starts", 1, "recorded offline, local log complete, exit status 0")


def test_a_server_that_hangs_in_the_middle(start, record):
    server = Server("answers")
    run, life = start("online", server)
    assert life.until(lambda: run.draws_so_far() >= STEPS // 2)
    server.mode = "hangs"
    assert life.wait() == 0, life.said[-3000:]
    assert server.asked > 0
    assert list(values(run)) == [float(step) for step in range(1, STEPS + 1)]
    assert any("train/loss" in piece for piece in recorded_offline(run))
    assert "Traceback" not in life.said
    record("W&B's server hangs", "in the middle of a run", 1, "training goes on, local log complete, exit status 0")


def test_the_service_dies_in_the_middle(start, times, record):
    kills = times(1, 5)
    for kill in range(kills):
        run, life = start("offline", Server("answers"), f"run{kill}")
        assert life.until(lambda run=run: run.draws_so_far() >= STEPS // 2)
        listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(life.process.pid)], capture_output=True, text=True)
        service = [int(line.split()[0]) for line in listed.stdout.splitlines() if "wandb-core" in line]
        assert len(service) == 1
        os.kill(service[0], signal.SIGKILL)
        complete(run, life)
        *_, second = recorded_offline(run)
        assert second.count("train/loss") >= STEPS
    record("W&B's service is killed (SIGKILL)", "in the middle of a run", kills, "a second offline record has every row")
