"""Text to labels, as the released scorers do it: what looks like a bug here is the published behaviour, and tested.

Every function is pure and needs no model. `parser="nano"` is the Nano-EmoX version, `"upstream"` that of MER-UniBench.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from nano_emox.metrics.empathy_tables import EMOTION_KEYWORDS

Parser = Literal["nano", "upstream"]

_SPEAKER_EMOTION = re.compile(r"the emotion of the speaker is\s+(\w+)")
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
_SCORE = re.compile(r"\d\.*\d*")
_REPLY_PREFIXES = ("输入", "输出", "翻译", "让我们来翻译一下：", "output", "Output", "input", "Input")


def parse_open_set(value: Any, parser: Parser = "nano") -> list[Any]:
    """Split a label string such as `"['happy', 'sad']"` into its items; lists pass unchanged.

    Args:
        value: the string or list of an annotation or a prediction.
        parser: `nano` removes one pair of brackets if both are there and splits on commas; `upstream` strips each
            bracket on its own, splits on commas and on both quote characters, and makes None and NaN an empty list.

    >>> parse_open_set("['happy', 'quite sad']")
    ['happy', 'quite sad']
    >>> parse_open_set("don't know", parser="upstream")
    ['don', 't know']
    """
    if parser == "nano":
        if isinstance(value, list):
            return value
        if not isinstance(value, str):
            return [value]
        text = value.strip()
        if text.startswith("[") and text.endswith("]"):
            text = text[1:-1]
        items = (item.strip().strip("'\"") for item in text.split(","))
        return [item for item in items if item]
    if parser == "upstream":
        if value is None or (isinstance(value, float) and value != value):
            return []
        if not isinstance(value, str) and isinstance(value, Iterable):
            return list(value)
        text = str(value).removeprefix("[").removesuffix("]")
        return [item.strip() for item in re.split(r"['\",]", text) if item.strip()]
    raise ValueError(f"parser={parser!r} is none of 'nano', 'upstream'")


def postprocess_reply(text: str) -> str:
    """Clean the reply of a label-extracting LLM: known prefixes once each in a fixed order, colons, newlines.

    >>> postprocess_reply("Output: [happy,\\n sad]")
    '[happy, sad]'
    """
    text = text.strip()
    for prefix in _REPLY_PREFIXES:
        text = text.removeprefix(prefix)
    text = text.strip().removeprefix(":").removeprefix("：").strip()
    return text.replace("\n", "").strip()


def extract_speaker_emotion(response: str) -> str:
    """Find the speaker's emotion in a generated response (AvaMERG); `unknown` where there is none.

    Inside think tags one word after "the emotion of the speaker is"; otherwise the first table entry of which a keyword
    is a substring anywhere in the response, so that "made" is angry ("mad") and "unhappy" is joyful ("happy").

    >>> extract_speaker_emotion("<think>the emotion of the speaker is Proud</think> Well done!")
    'proud'
    >>> extract_speaker_emotion("They made it.")
    'angry'
    """
    if not response:
        return "unknown"
    start, end = response.find("<think>"), response.find("</think>")
    if start >= 0 and end >= 0:
        match = _SPEAKER_EMOTION.search(response[start + len("<think>") : end].lower())
        if match:
            return match.group(1)
    lowered = response.lower()
    for emotion, keywords in EMOTION_KEYWORDS:
        if any(keyword in lowered for keyword in keywords):
            return emotion
    return "unknown"


def without_thoughts(response: str) -> str:
    """Remove every closed think block, so that only what the speaker hears is left.

    >>> without_thoughts("<think>steps</think> I am sorry. ")
    'I am sorry.'
    """
    return _THOUGHTS.sub("", response).strip()


def parse_judge_score(reply: str | None) -> float | None:
    """Read the first number of a judge's reply; None where there is none (the released code makes that 0.0).

    Raises:
        ValueError: the first match is no number ("8..5"), as in the released code.

    >>> parse_judge_score("score range 1-10: 9")
    1.0
    """
    match = _SCORE.search(reply) if reply else None
    return float(match.group()) if match else None
