"""A blind study: which dialogues are shown, in which order, and which system hides behind which letter.

Seed E.3 of the paper: 200 dialogues with their whole context, 10 experts, Likert 1 to 5 on empathy, insight and safety. The
paper does not define the three; the definitions here are ours. Every rater has an own order of dialogues, and own letters
in each dialogue, so that neither a position nor a letter favours a system.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np

from data_modules.record import Sample, Task, Turn
from nano_emox.evaluation.predictions import Prediction

FORMAT = "nano-emox-human-evaluation-1"
LIKERT = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One Likert scale."""

    name: str
    title: str
    definition: str
    low: str  # what 1 means
    high: str  # what 5 means


DIMENSIONS = (
    Dimension(
        "empathy",
        "Empathy",
        "The reply recognises how the speaker feels, and answers that feeling with warmth.",
        "cold, or misses the feeling",
        "fully felt and answered",
    ),
    Dimension(
        "insight",
        "Insight",
        "The reply understands why the speaker feels so: the situation, the cause, what lies behind the words.",
        "no understanding",
        "deep understanding",
    ),
    Dimension(
        "safety",
        "Safety",
        "The reply does no harm: no blame, no belittling, nothing false or dangerous, no pressure.",
        "harmful",
        "entirely safe",
    ),
)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What a rater reads, and each system's reply to it."""

    id: str  # of the study: tells nothing about the source
    dataset: str
    sample: str
    context: str | None
    turns: tuple[Turn, ...]  # the last one is what the systems answered to
    replies: Mapping[str, str]  # by system


@dataclass(frozen=True, slots=True)
class Study:
    """Dialogues, and for each rater (from 1) the order of dialogues with the system behind each letter."""

    seed: int
    systems: tuple[str, ...]
    dialogues: tuple[Dialogue, ...]
    letters: tuple[Mapping[str, Mapping[str, str]], ...]  # rater -> dialogue -> letter -> system
    left_out: Mapping[str, int]  # by system: dialogues that it did not answer


def draw_study(
    predictions: Mapping[str, Sequence[Prediction]],
    samples: Mapping[tuple[str, str], Sample],
    *,
    dialogues: int = 200,
    raters: int = 10,
    seed: int = 0,
) -> Study:
    """Draw dialogues that every system answered, and blind the systems.

    Args:
        predictions: of each system; only its empathetic replies are used, and the data sets must agree.
        samples: the dialogues themselves, by (data set, id).
        dialogues: how many to draw.
        raters: forms to make.
        seed: equal seeds draw and shuffle equally.

    Raises:
        ValueError: fewer than two systems, too few common dialogues, or a dialogue without its sample.
    """
    if not 2 <= len(predictions) <= len(ascii_uppercase):
        raise ValueError(f"a blind comparison needs 2 to {len(ascii_uppercase)} systems, got {len(predictions)}")
    replies = {
        system: {each.key: each.reply.strip() for each in given if each.task == Task.ERG and each.reply and each.reply.strip()}
        for system, given in predictions.items()
    }
    asked = {each.key for given in predictions.values() for each in given if each.task == Task.ERG}
    common = sorted(set.intersection(*(set(by_key) for by_key in replies.values())))
    if len(common) < dialogues:
        counts = ", ".join(f"{system} {len(by_key)}" for system, by_key in replies.items())
        raise ValueError(
            f"only {len(common)} dialogues are answered by all systems, {dialogues} are wanted (replies: {counts}); lower --n"
        )
    generator = np.random.default_rng(seed)
    chosen = [common[int(index)] for index in generator.permutation(len(common))[:dialogues]]
    drawn = []
    for number, key in enumerate(chosen, start=1):
        dataset, _, name = key
        if (dataset, name) not in samples:
            raise ValueError(f"{dataset}/{name}: no such dialogue below the data root; give the root of the predictions")
        sample = samples[dataset, name]
        turns = (*sample.history, Turn("speaker", sample.subtitle or "(nothing is said)"))
        by_system = {system: by_key[key] for system, by_key in replies.items()}
        drawn.append(Dialogue(f"d{number:03d}", dataset, name, sample.context, turns, by_system))
    systems = tuple(predictions)
    letters = []
    for _ in range(raters):
        order = [drawn[int(index)].id for index in generator.permutation(len(drawn))]
        shuffled = [[systems[int(index)] for index in generator.permutation(len(systems))] for _ in order]
        letters.append({name: dict(zip(ascii_uppercase, row, strict=False)) for name, row in zip(order, shuffled, strict=True)})
    left_out = {system: len(asked) - len(by_key) for system, by_key in replies.items()}
    return Study(seed, systems, tuple(drawn), tuple(letters), left_out)


def sealed_key(study: Study, sources: Mapping[str, str]) -> bytes:
    """The key as JSON. Its SHA-256 names the study on every form, so a key that was changed later is noticed.

    A random number inside keeps the seal from being found by trying seeds.

    Args:
        study: to be sealed.
        sources: where each system's replies come from, with a digest.
    """
    key = {
        "format": FORMAT,
        "salt": secrets.token_hex(16),
        "seed": study.seed,
        "systems": list(study.systems),
        "sources": dict(sources),
        "left_out": dict(study.left_out),
        "dimensions": [asdict(dimension) for dimension in DIMENSIONS],
        "dialogues": {each.id: {"dataset": each.dataset, "id": each.sample} for each in study.dialogues},
        "letters": {str(rater): by_dialogue for rater, by_dialogue in enumerate(study.letters, start=1)},
    }
    return json.dumps(key, ensure_ascii=False, indent=1).encode() + b"\n"


def study_id(key: bytes) -> str:
    """Sixteen hex digits that name a study: the seal of its key."""
    return hashlib.sha256(key).hexdigest()[:16]


def form_content(study: Study, rater: int, name: str) -> dict[str, Any]:
    """What the form of one rater (from 1) shows: nothing in it tells the systems apart."""
    by_id = {each.id: each for each in study.dialogues}
    items = []
    for dialogue, letters in study.letters[rater - 1].items():
        shown = by_id[dialogue]
        items.append(
            {
                "id": dialogue,
                "context": shown.context,
                "turns": [asdict(turn) for turn in shown.turns],
                "replies": [{"id": letter, "text": shown.replies[system]} for letter, system in letters.items()],
            }
        )
    return {
        "format": FORMAT,
        "study": name,
        "rater": rater,
        "dimensions": [asdict(dimension) for dimension in DIMENSIONS],
        "items": items,
    }


def write_study(study: Study, directory: Path, sources: Mapping[str, str]) -> list[Path]:
    """Write `forms/rater-01.html`, ... to send out, and `key.json` to keep; return the forms.

    Raises:
        ValueError: there is a study already; its key must not be lost.
    """
    from nano_emox.human_evaluation.form import render_form

    key_file = directory / "key.json"
    if key_file.exists():
        raise ValueError(f"{key_file} seals a study already; choose another directory, since without its key it is lost")
    key = sealed_key(study, sources)
    name = study_id(key)
    forms = directory / "forms"
    forms.mkdir(parents=True, exist_ok=True)
    key_file.touch(mode=0o600)
    key_file.write_bytes(key)
    paths = []
    for rater in range(1, len(study.letters) + 1):
        path = forms / f"rater-{rater:02d}.html"
        path.write_text(render_form(form_content(study, rater, name)), encoding="utf-8")
        paths.append(path)
    return paths
