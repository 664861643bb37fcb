"""A judge behind an OpenAI-compatible address, such as vLLM's. Standard library only.

The key comes from the environment, goes into one header and nowhere else: redirects are not followed (they would carry it
along), addresses with a password are refused, and it is cut out of every message.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from nano_emox.judges.judge import Identity, JudgeError, Reply
from nano_emox.judges.prompts import Prompt

_UNUSABLE = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405})  # no later call can do better
_PASSING = frozenset({408, 409, 425, 429})  # and every 5xx
_LONGEST_WAIT = 30.0  # seconds, whatever Retry-After says


class _Transient(Exception):
    """A call that may succeed when it is repeated."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait  # seconds that the server asked for


class _Refused(Exception):
    """The server will not answer this one prompt, however often it is asked."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class HttpJudge:
    """Calls `POST {url}/chat/completions` at temperature 0, several at a time.

    Args:
        url: base address, such as `http://127.0.0.1:8000/v1`.
        model: name that the server knows.
        api_key: bearer token, if the server wants one.
        timeout: seconds for one whole call.
        attempts: calls a prompt may take.
        backoff: seconds before the second attempt, doubled before each further one.
        max_bytes: a longer response is not read.
        concurrency: calls at the same time.
        max_tokens: upper limit of a reply.
        seed: is sent along, for servers that know it.
    """

    repeatable = False  # servers batch, so even temperature 0 may answer otherwise the next time

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        attempts: int = 4,
        backoff: float = 1.0,
        max_bytes: int = 1 << 20,
        concurrency: int = 4,
        max_tokens: int = 256,
        seed: int = 0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise JudgeError(f"{url!r} is no http address; give one such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise JudgeError("the judge's address must hold no user, password or query: it is stored with every score")
        if not model:
            raise JudgeError(f"{url}: name the model that the server should use (--model)")
        self.url, self.model = url.rstrip("/"), model
        self.timeout, self.attempts, self.backoff = timeout, attempts, backoff
        self.max_bytes, self.concurrency = max_bytes, concurrency
        self.options = {"temperature": 0, "max_tokens": max_tokens, "seed": seed}
        self._key = api_key
        self._opener = urllib.request.build_opener(_NoRedirect)

    @property
    def identity(self) -> Identity:
        return Identity("http", self.model, "unknown", {"url": self.url, **self.options})

    def ask(self, prompts: Sequence[Prompt]) -> list[Reply]:
        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(self._ask, prompts))

    def _ask(self, prompt: Prompt) -> Reply:
        error = ""
        for attempt in range(1, self.attempts + 1):
            try:
                text, answered_by = self._call(prompt)
                return Reply(text, attempts=attempt, answered_by=answered_by)
            except _Refused as refusal:
                return Reply(None, str(refusal), attempt)
            except _Transient as failure:
                error = str(failure)
                if attempt < self.attempts:
                    time.sleep(min(_LONGEST_WAIT, max(failure.wait, self.backoff * 2 ** (attempt - 1))))
        return Reply(None, error, self.attempts)

    def _call(self, prompt: Prompt) -> tuple[str, str | None]:
        body = json.dumps({"model": self.model, "messages": prompt.messages(), **self.options}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.url}/chat/completions", data=body, headers=headers, method="POST")
        deadline = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                content = self._read(response, deadline)
        except urllib.error.HTTPError as error:
            with error:
                raise self._verdict(error) from None  # the request inside the cause holds the key
        except (OSError, http.client.HTTPException) as error:  # refused, reset, timed out, cut
            raise _Transient(self._safe(f"{type(error).__name__}: {error}")) from None
        return _content(content)

    def _read(self, response: Any, deadline: float) -> bytes:
        """Read a response in pieces: a server that drips is cut at the deadline, one that floods at `max_bytes`."""
        content = b""
        while piece := response.read1(65536):
            content += piece
            if len(content) > self.max_bytes:
                raise _Refused(f"the response is longer than {self.max_bytes} bytes")
            if time.monotonic() > deadline:
                raise _Transient(f"no whole response within {self.timeout} s")
        return content

    def _verdict(self, error: urllib.error.HTTPError) -> Exception:
        try:
            said = error.read(2000).decode(errors="replace").strip()
        except (OSError, http.client.HTTPException):
            said = ""
        message = self._safe(f"HTTP {error.code} {error.reason}: {said[:300]}")
        if error.code in _UNUSABLE:
            return JudgeError(f"{self.url}: {message}")
        if error.code in _PASSING or error.code >= 500:
            wait = str(error.headers.get("Retry-After", "")) if error.headers else ""
            return _Transient(message, float(wait) if wait.isdecimal() else 0.0)
        return _Refused(message)

    def _safe(self, message: str) -> str:
        return message.replace(self._key, "[key]") if self._key else message


def _content(body: bytes) -> tuple[str, str | None]:
    """The first choice's text, and the model that the server names."""
    try:
        response = json.loads(body)
        text = response["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise _Transient(f"no chat completion: {body[:120]!r}") from None
    if not isinstance(text, str):
        raise _Transient(f"no text in the chat completion: {body[:120]!r}")
    model = response.get("model")
    return text, model[:200] if isinstance(model, str) else None
