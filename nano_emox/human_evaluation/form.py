"""The form of a rater: one HTML file that needs no network and may reach none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

_PLACE = "/*CONTENT*/null"


def render_form(content: Mapping[str, Any]) -> str:
    r"""Put a study's content into the page.

    Dialogues and replies may hold anything: they lie in the page as JSON without `<`, and its script shows them as text.

    Args:
        content: as `form_content` gives it.
    """
    template = files("nano_emox.human_evaluation").joinpath("form.html").read_text(encoding="utf-8")
    if template.count(_PLACE) != 1:
        raise RuntimeError(f"form.html must hold {_PLACE} once")
    data = json.dumps(content, ensure_ascii=False, allow_nan=False)
    for character in "<\u2028\u2029":  # the ends of a script, and of a line in old parsers
        data = data.replace(character, f"\\u{ord(character):04x}")
    return template.replace(_PLACE, data)
