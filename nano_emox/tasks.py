"""The six tasks as text: what is asked, what a good answer says, and what an answer meant.

The questions are those of the supplementary material, section D, word for word. An answer is read back by the same
file that writes it, so templates and parsers cannot drift apart: `parse(task, answer(sample, task))` gives the label back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from data_modules.record import ChainOfEmpathy, Sample, Task

CANDIDATES = "<candidates>"
Field = TypeVar("Field")

QUESTIONS: dict[Task, str] = {
    Task.MER: (
        "[Recognition] Please select the label that can best describe the person’s emotional state from the provided"
        f" candidate labels: {CANDIDATES}."
    ),
    Task.OV_MER: ("[Recogn_OV] Recognize all the possible emotional states the character might be feeling in this context."),
    Task.ERI: (
        "[Inference] From the combined evidence of speech, tone, and visual expression, construct a detailed summary of"
        " the subject’s emotional journey and final inferred state."
    ),
    Task.MIR: (f"[Intent] Recognize speaker’s intention from the provided candidate labels: {CANDIDATES}."),
    Task.ERG: (
        "[Interaction] You are an empathetic listener, your goal is to understand the user’s emotions and intentions,"
        " and respond or comfort them with appropriate language that helps them feel understood and cared for. Please"
        " analyze using Chain of Empathy:\n"
        "First, Reflect on the event scenarios that arise from the ongoing dialogue.\n"
        "Secondly, Analyze both the implicit and explicit emotions conveyed by the user.\n"
        "Thirdly, Infer the underlying reasons for the user’s emotions.\n"
        "Fourthly, Determine the goal of your response in this particular instance, such as alleviating anxiety,"
        " offering reassurance, or expressing understanding."
    ),
}
# MSA is never trained on (paper, section 4): it is asked openly, and the words of the answer give the polarity.
QUESTIONS[Task.MSA] = QUESTIONS[Task.OV_MER]

SENTIMENTS = ("negative", "neutral", "positive")


def question(task: Task, candidates: Sequence[str] = (), separator: str = ", ") -> str:
    """The instruction of a task; closed-label tasks list `candidates` in sorted order.

    Raises:
        ValueError: a closed-label task (MER, MIR) without candidates.
    """
    text = QUESTIONS[task]
    if CANDIDATES in text:
        if not candidates:
            raise ValueError(f"task {task.value!r} chooses among labels; give candidates=[...]")
        text = text.replace(CANDIDATES, separator.join(sorted(candidates, key=str.casefold)))
    return text


def answer(sample: Sample, task: Task) -> str:
    """The text that the model is trained to give.

    Raises:
        ValueError: the sample lacks the label that this task needs; the message names sample and field.
    """
    match task:
        case Task.MER:
            label = _need(sample, task, "label", sample.label)
            return (
                f"The most likely label is {label}."
                if Task.ERG not in sample.tasks
                else f"The emotion of the speaker is {label}."
            )
        case Task.OV_MER:
            return (
                f"The character's emotional state is {', '.join(_need(sample, task, 'words', sample.words) or ('neutral',))}."
            )
        case Task.ERI:
            return _need(sample, task, "description", sample.description)
        case Task.MIR:
            return _need(sample, task, "label", sample.label)
        case Task.ERG:
            chain = _need(sample, task, "chain", sample.chain)
            reply = _need(sample, task, "response", sample.response)
            return (
                f"<think>Firstly, the event scenario of this conversation is: {_sentence(chain.event_scenario)}"
                f" Secondly, the emotion of the speaker is {_sentence(chain.speaker_emotion)}"
                f" Thirdly, the emotion cause is {_sentence(chain.emotion_cause)}"
                f" Fourthly, the goal to response is {_sentence(chain.goal_to_response)}</think>\n{reply}"
            )
        case Task.MSA:
            if sample.words:
                return f"The character's emotional state is {', '.join(sample.words)}."
            return f"The character's sentiment state is {polarity(_need(sample, task, 'score', sample.score))}."


def polarity(score: float) -> str:
    """`negative`, `neutral` or `positive`, from the sign of a sentiment score."""
    return SENTIMENTS[(score > 0) - (score < 0) + 1]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer meant. `parsed` is False where the text has not the form that its task asks for."""

    text: str
    parsed: bool
    label: str | None = None  # MER, MIR: one class; MSA: a polarity, where the answer states it
    words: tuple[str, ...] = ()  # OV-MER, MSA, ERI: emotion words, lower case
    description: str | None = None
    chain: ChainOfEmpathy | None = None
    reply: str | None = None


_LABEL = re.compile(
    r"(?:the most likely label|the character's emotional state|the emotion of the speaker) is\s+(.+?)\s*\.?\s*$", re.I | re.S
)
_WORDS = re.compile(r"the character's emotional state is\s+(.+?)\s*\.?\s*$", re.I | re.S)
_SENTIMENT = re.compile(r"the character's sentiment state is\s+(positive|negative|neutral)\s*\.?\s*$", re.I)
_FEELS = re.compile(r"\bfeels?\s+([^.]+)\.?\s*$", re.I)
_CHAIN = re.compile(
    r"<think>\s*Firstly, the event scenario of this conversation is:\s*(?P<event>.*?)\s*"
    r"Secondly, the emotion of the speaker is\s*(?P<emotion>.*?)\s*"
    r"Thirdly, the emotion cause is\s*(?P<cause>.*?)\s*"
    r"Fourthly, the goal to response is\s*(?P<goal>.*?)\s*</think>\s*(?P<reply>.*)$",
    re.I | re.S,
)


def parse(task: Task, text: str, candidates: Sequence[str] = ()) -> Answer:
    """Read an answer back. Never raises: what has not the asked form comes back with `parsed=False`.

    With `candidates`, a label is parsed only if it is one of them (compared without case), in their spelling.
    """
    text = text.strip()
    match task:
        case Task.MER | Task.MIR:
            found = _LABEL.search(text)
            label = (found.group(1) if found else text).strip().strip(".")
            if candidates:
                spelling = {c.casefold(): c for c in candidates}
                label = spelling.get(label.casefold(), "")
            elif not found and task is Task.MER:
                label = ""
            return Answer(text, bool(label), label=label or None, words=(label.lower(),) if label else ())
        case Task.OV_MER | Task.MSA:
            if task is Task.MSA and (stated := _SENTIMENT.search(text)):
                return Answer(text, True, label=stated.group(1).lower())
            words = _split(m.group(1) if (m := _WORDS.search(text)) else "")
            return Answer(text, bool(words), words=words)
        case Task.ERI:
            feels = _FEELS.search(text)
            return Answer(text, bool(text), words=_split(feels.group(1)) if feels else (), description=text or None)
        case Task.ERG:
            found = _CHAIN.search(text)
            if found is None or not found["reply"].strip():
                return Answer(text, False)
            emotion = found["emotion"].strip().rstrip(".").lower()
            chain = ChainOfEmpathy(found["event"].rstrip("."), emotion, found["cause"].rstrip("."), found["goal"].rstrip("."))
            return Answer(
                text,
                bool(emotion),
                label=emotion or None,
                words=(emotion,) if emotion else (),
                chain=chain,
                reply=found["reply"].strip(),
            )


def _split(words: str) -> tuple[str, ...]:
    parts = (w.strip().strip(".\"'").lower() for w in re.split(r",|\band\b", words))
    return tuple(dict.fromkeys(w for w in parts if w))


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _need(sample: Sample, task: Task, name: str, value: Field | None) -> Field:
    if value is None:
        raise ValueError(f"{sample.dataset}/{sample.id}: task {task.value!r} needs the field {name!r}, which this sample lacks")
    return value
