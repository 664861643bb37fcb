"""W&B beside a run and never in its way: whatever W&B does, no call of the trainer waits for it or fails because of it.

Calls go to a thread of their own. Where the server does not answer when a run starts, or the local service dies, the run is
recorded offline under the same id, from its first row on, for `wandb sync`; that is said once.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from lightning.fabric.loggers.logger import _DummyExperiment as DummyExperiment
from lightning.pytorch.loggers import WandbLogger

from experiments.logs import console

_WAITING = 10_000  # calls that may wait for a W&B that does not take them; more are left to the local log
_KEPT = 200_000  # rows that a second start can repeat


class GuardedWandbLogger(WandbLogger):
    """A `WandbLogger` whose failures cost the run nothing. A run that logs nothing, because it was refused, starts no W&B run.

    Args:
        start: begins the W&B run, online or offline, and returns it.
        online: what to try first.
        patience: seconds; `finalize`, which ends the W&B run, waits at most twice as long.
    """

    def __init__(self, start: Callable[..., Any], *, online: bool, patience: float = 30.0) -> None:
        self._start = start
        self._patience = patience
        self._lost = False  # W&B is given up
        self._restarted = False
        self._calls: queue.Queue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.Queue(_WAITING)
        self._rows: deque[tuple[Mapping[str, Any], int | None]] = deque(maxlen=_KEPT)
        self._thread: threading.Thread | None = None
        self._online, self._begun = online, False
        super().__init__()

    @property
    def experiment(self) -> Any:
        """The W&B run; where it was given up, something that takes every call and does nothing."""
        return self._experiment if self._experiment is not None else DummyExperiment()

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if not self._begun:
            self._begin()
        self._send(self._log, dict(metrics), step)

    def log_hyperparams(self, params: Any) -> None:
        """The configuration is given when the run starts."""

    def finalize(self, status: str) -> None:
        if self._experiment is None:
            return
        done = threading.Event()
        self._send(self._finish)  # here, not at the interpreter's exit, which a killed process never reaches
        self._send(done.set)
        if not self._lost and not done.wait(2 * self._patience):  # W&B itself uploads for `patience`, and then lets go
            self._give_up(f"it has not taken {self._calls.qsize()} calls within {2 * self._patience:g} s")

    def _begin(self) -> None:
        self._begun = True
        try:
            self._experiment = self._start(online=self._online)
        except Exception as error:
            self._experiment = self._restart(error)

    def _log(self, metrics: Mapping[str, Any], step: int | None) -> None:
        self._rows.append((metrics, step))
        WandbLogger.log_metrics(self, metrics, step)

    def _finish(self) -> None:
        import wandb

        if self._experiment is not None:
            self._experiment.finish()
            wandb.teardown()  # its service has the last records in memory until it ends

    def _send(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._lost:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)  # never holds up the exit
            self._thread.start()
        try:
            self._calls.put_nowait((call, arguments))
        except queue.Full:
            self._give_up(f"it has not taken the last {_WAITING} calls")

    def _work(self) -> None:
        while True:
            call, arguments = self._calls.get()
            if self._lost:
                continue
            try:
                call(*arguments)
            except Exception as error:
                if (run := self._restart(error)) is None:
                    continue
                self._experiment = run
                try:  # a service that dies takes with it what it had in memory
                    for row in self._rows:
                        WandbLogger.log_metrics(self, *row)
                    if call != self._log:
                        call(*arguments)
                except Exception as again:
                    self._give_up(_first_line(again))

    def _restart(self, error: Exception) -> Any:
        """The run once more, offline; None where that was done before, or fails too."""
        if not self._restarted:
            self._restarted = True
            try:
                run = self._start(online=False)
            except Exception as again:
                error = again
            else:
                console.print(
                    f"[yellow]W&B fails ({_first_line(error)}); the run goes on, recorded offline: `wandb sync` uploads it[/]",
                    soft_wrap=True,
                )
                return run
        self._give_up(_first_line(error))
        return None

    def _give_up(self, why: str) -> None:
        if not self._lost:
            self._lost = True
            console.print(
                f"[yellow]W&B fails ({why}); the run goes on without it. The local log has every value.[/]", soft_wrap=True
            )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
