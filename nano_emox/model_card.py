"""The model card of a folder, written from what its run recorded, and the same facts for `nano-emox info`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nano_emox.hub import SOURCES
from nano_emox.pretrained import read_folder

_LIMITS = """Emotions read from faces and voices are guesses about how someone appears, not about what they feel. The model has no
training outside the data sets above. In the European Union, inferring emotions of people at work or in education is prohibited (AI
Act, article 5(1)(f)), with exceptions for medical and safety reasons. Several of the data sets allow non-commercial use only."""


def towers_needed(about: Mapping[str, Any]) -> dict[str, str]:
    """Published checkpoints that a folder stands on, by part; a merged one brings its language model along."""
    parts = [part for part in SOURCES if not (part == "language" and about["merged"])]
    own = about["backbones"]
    if own["preset"] == "tiny":
        return {part: f"{own[part]} (tiny, made by `make backbones`)" for part in parts}
    return {part: f"{SOURCES[part].name} as {own[part]}" for part in parts}


def write_card(directory: str | Path) -> Path:
    """Write `README.md` into a folder of `save_pretrained`."""
    directory = Path(directory)
    about, config = read_folder(directory)
    target = directory / "README.md"
    lines = [
        "---", "library_name: nano-emox", "tags: [emotion, multimodal, affective-computing]", "---", "",
        f"# Nano-EmoX, {about.get('phase', 'unknown phase')}", "",
        f"Source: {about.get('source', 'not recorded')}. Seed: {about.get('seed', 'not recorded')}."
        f" Modalities: {', '.join(about.get('modalities', ())) or 'not recorded'}. Prompt style: {config.prompt_style}.", "",
    ]  # fmt: skip
    lines += ["## What was learned", "", "| part | parameters |", "|---|---|"]
    lines += [f"| {part} | {count:,} |" for part, count in about["learned"].items()]
    lines += ["", "## What it stands on", "", "| part | checkpoint |", "|---|---|"]
    lines += [f"| {part} | {name} |" for part, name in towers_needed(about).items()]
    lines += ["", "## Trained on", ""]
    if mixture := about.get("data"):
        lines += ["| phase | data set | weight |", "|---|---|---|"]
        lines += [f"| {phase} | {name} | {weight} |" for phase, sets in mixture.items() for name, weight in sets.items()]
    else:
        lines.append("Not recorded.")
    if about.get("synthetic"):
        lines += ["", "**The data are synthetic: the scores say that the pipeline works, nothing about people.**"]
    lines += ["", "## Scores", ""]
    if metrics := about.get("metrics"):
        lines += ["| metric | value |", "|---|---|", *(f"| {name} | {value:.4f} |" for name, value in metrics.items())]
    else:
        lines.append("Not recorded.")
    lines += [
        "", "## Use", "", "```python", "from nano_emox.pretrained import from_pretrained",
        'model, prompts, *_ = from_pretrained("DIR", root="weights", online=True)', "```", "",
        "or `nano-emox predict clip.mp4 --run DIR`; `nano-emox info DIR` prints this card's facts.", "",
        "## Limits", "", _LIMITS, "", "## Files", "", "| file | sha256 |", "|---|---|",
    ]  # fmt: skip
    lines += [f"| {path.relative_to(directory)} | {digest(path)} |" for path in sorted(directory.rglob("*.safetensors"))]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
