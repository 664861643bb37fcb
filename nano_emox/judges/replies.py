"""Replies to values. Each parser returns None for a reply that has not the asked form; None is a failed call, never 0."""

from __future__ import annotations

import re

from nano_emox.metrics.overlap import judge_score
from nano_emox.metrics.parsers import parse_open_set, postprocess_reply, without_thoughts

MOST_LABELS, LONGEST_LABEL = 32, 40  # beyond these a reply is prose, not a list of emotions
SENTIMENTS = ("positive", "negative", "neutral")

_SCORE = re.compile(r"""\bscore[\s:=*_"'(]{0,4}(\d+(?:\.\d+)?)(?!\d|\.\.|\.\d|-\d)""", re.I)
_BARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*10)?\s*\.?\s*")


def parse_labels(reply: str) -> list[str] | None:
    r"""Read a list of emotion words, lower case, each once, cleaned as the released scorer cleans it.

    >>> parse_labels("Output: [Happy, 'a bit sad']"), parse_labels("[]")
    (['happy', 'a bit sad'], [])
    """
    text = postprocess_reply(without_thoughts(reply))
    if not text:
        return None
    listed = text[text.find("[") : text.find("]") + 1] if 0 <= text.find("[") < text.find("]") else text
    labels = list(dict.fromkeys(str(item).strip().strip(".").lower() for item in parse_open_set(listed)))
    labels = [label for label in labels if label]
    if len(labels) > MOST_LABELS or any(len(label) > LONGEST_LABEL for label in labels):
        return None
    return labels


def parse_sentiment(reply: str) -> str | None:
    """Read one of the three words.

    >>> parse_sentiment(" Positive."), parse_sentiment("rather positive")
    ('positive', None)
    """
    word = postprocess_reply(without_thoughts(reply)).strip("[]\"'.! ").lower()
    return word if word in SENTIMENTS else None


def parse_overlap(reply: str) -> float | None:
    """Read `Score: n`, or a reply that is nothing but a number; outside of 1 to 10 it is no score.

    >>> parse_overlap("Score: 7/10"), parse_overlap("8"), parse_overlap("I gave 3 of them a 9"), parse_overlap("Score: 0")
    (7.0, 8.0, None, None)
    """
    text = without_thoughts(reply)
    found = _SCORE.search(text) or _BARE.fullmatch(text)
    score = judge_score(found.group(1), judge_failure="missing") if found else None
    return score if score is not None and 1 <= score <= 10 else None
