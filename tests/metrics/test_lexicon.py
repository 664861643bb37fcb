"""The built-in lexicon and the released wheels: what a word means, and where the two editions differ."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nano_emox.metrics import load_lexicon, valence_of
from nano_emox.metrics.builtin_lexicon import builtin_tables
from nano_emox.metrics.empathy_tables import COARSE_GROUPS

WHEELS = Path(os.environ.get("EMOTION_WHEEL_DIR") or Path(__file__).resolve().parents[3] / "shared" / "emotion_wheel")
EMPATHETIC_DIALOGUES = str.split(
    """
    afraid angry annoyed anticipating anxious apprehensive ashamed caring confident content devastated disappointed
    disgusted embarrassed excited faithful furious grateful guilty hopeful impressed jealous joyful lonely nostalgic
    prepared proud sad sentimental surprised terrified trusting
    """
)


@pytest.mark.parametrize(
    ("words", "group"),
    [
        ("happy glad joyful delighted proud excited", "joy"),
        ("sad unhappy sadness disappointed lonely", "sadness"),
        ("angry anger furious annoyed", "anger"),
        ("worried worry anxious anxiety fear afraid scared", "fear"),
        ("surprise surprised astonished", "surprise"),
        ("disgust disgusted", "disgust"),
        ("neutral calm", "neutral"),
    ],
)
def test_builtin_groups(words: str, group: str) -> None:
    for word in words.split():
        assert load_lexicon().groups([word])[0] == {group}, word


def test_builtin_knows_every_empathetic_dialogues_emotion() -> None:
    assert len(EMPATHETIC_DIALOGUES) == 32
    table = builtin_tables()["cluster"]
    assert [word for word in (*EMPATHETIC_DIALOGUES, *COARSE_GROUPS) if word not in table] == []
    assert len(table) > 500


def test_builtin_forgives_case_punctuation_and_intensifiers_but_not_negation() -> None:
    lexicon = load_lexicon("builtin")
    assert lexicon.groups([" Happy. "])[0] == lexicon.groups(["very happy"])[0] == {"joy"}
    assert lexicon.groups(["not happy"])[0] == lexicon.groups([])[0] == frozenset()


@pytest.mark.parametrize(
    ("words", "polarity"),
    [
        (["happy"], "positive"),
        (["proud", "anxious", "grateful"], "positive"),
        (["angry", "hurt"], "negative"),
        (["surprised"], "neutral"),
        (["neutral"], "neutral"),
        ([], "neutral"),
        (["unheard-of"], "neutral"),
    ],
)
def test_valence(words: list[str], polarity: str) -> None:
    assert valence_of(words) == polarity


def test_a_directory_without_wheels_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no emotion wheels here.*format\.csv"):
        load_lexicon(tmp_path)


@pytest.mark.skipif(not WHEELS.is_dir(), reason=f"no emotion wheels at {WHEELS}; set EMOTION_WHEEL_DIR")
def test_editions_differ_in_the_forms_of_less() -> None:
    strict, corrected = load_lexicon(WHEELS), load_lexicon(WHEELS, "corrected")
    assert "strict" in strict.name
    assert "corrected" in corrected.name
    assert strict.groups(["fear"])[1:3] == (frozenset({"happy"}), frozenset({"joyful"}))
    assert corrected.groups(["fear"])[1:3] == (frozenset({"fearful"}), frozenset({"scared"}))
    forms = strict.tables["level1"]
    assert (len(forms), len(corrected.tables["level1"])) == (7386, 7356)
    assert sum(corrected.tables["level1"].get(form) != groups for form, groups in forms.items()) == 60
    assert load_lexicon(WHEELS) is strict  # compiled once
