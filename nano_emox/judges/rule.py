"""The judge that needs no model: our templates and the built-in lexicon. It is deterministic, and the default."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from data_modules.record import Task
from nano_emox.judges.judge import Identity, Reply
from nano_emox.judges.prompts import Prompt, Question
from nano_emox.metrics.lexicon import valence_of
from nano_emox.metrics.overlap import emotion_words, rule_clue_overlap, rule_label_overlap
from nano_emox.metrics.parsers import parse_open_set
from nano_emox.tasks import parse


class RuleJudge:
    """Answers in the form that a language model is asked for, so that both go through the same parsers.

    - labels: what one of our answer templates states; otherwise the lexicon's words that the text asserts
    - sentiment: the mean valence of the words
    - overlap: word F1 (clues) or emotion-group F1 (labels), put on the scale 1 to 10 as 1 + 9 F1
    """

    repeatable = True

    @property
    def identity(self) -> Identity:
        return Identity("rule", "rule", version("nano-emox"), {"lexicon": "builtin"})

    def ask(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(_answer(prompt)) for prompt in prompts]


def _answer(prompt: Prompt) -> str:
    texts = prompt.texts
    match prompt.question:
        case Question.LABELS:
            return f"[{', '.join(labels_by_rule(texts['text']))}]"
        case Question.SENTIMENT:
            return valence_of(parse_open_set(texts["words"]))
        case Question.CLUE_OVERLAP:
            return _score(rule_clue_overlap(texts["answer"], texts["reference"]))
        case Question.LABEL_OVERLAP:
            return _score(rule_label_overlap(parse_open_set(texts["answer"]), parse_open_set(texts["reference"])))


def labels_by_rule(text: str) -> list[str]:
    """Return the emotion words of one of our answer templates, or those that the lexicon knows in any other text.

    >>> labels_by_rule("The character's emotional state is worried, sad.")
    ['worried', 'sad']
    >>> labels_by_rule("His voice trembles; he sounds worried.")
    ['worried']
    """
    for task in (Task.OV_MER, Task.MER, Task.ERG):
        answer = parse(task, text)
        if answer.words:
            return list(answer.words)
    return list(dict.fromkeys(emotion_words(text)))


def _score(f1: float) -> str:
    return f"Score: {1 + 9 * f1:.4f}"
