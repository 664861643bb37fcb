"""`Judge`: prompts in, replies out. Three kinds share it: rules, a local language model, an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nano_emox.judges.prompts import Prompt


class JudgeError(RuntimeError):
    """The judge cannot be used at all: wrong address, key or model. Nothing is scored."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who judged: scores of two identities are never averaged. `settings` are those that can change a reply."""

    backend: str  # rule, local or http
    model: str
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # plain JSON values

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.backend}:{self.model} (version {self.version}; {settings})"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `text=None` is a call that failed for good, after `attempts`; `error` says why."""

    text: str | None
    error: str | None = None
    attempts: int = 1
    answered_by: str | None = None  # the model that a server says it used

    def __post_init__(self) -> None:
        if (self.text is None) != (self.error is not None):
            raise ValueError("a reply has either a text or an error")


class Judge(Protocol):
    """Anything that answers prompts. `repeatable`: asking again gives the same reply, so asking again is no use."""

    @property
    def identity(self) -> Identity: ...

    @property
    def repeatable(self) -> bool: ...

    def ask(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """One reply a prompt, in order.

        Raises:
            JudgeError: the judge cannot be used at all.
        """
        ...
