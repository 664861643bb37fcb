"""Predictions through a judge: which questions each task needs, asked in batches, every value on disk as it comes.

- MER, OV-MER: the emotion words of the answer, whatever its form
- MSA: the words, then their sentiment, as in the released two-step scorer
- ERI: clue overlap of the descriptions; the words of both descriptions, then the overlap of the two lists
MIR and ERG are scored by their own parsers and need no judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from data_modules.record import Task
from nano_emox.evaluation.predictions import Prediction
from nano_emox.judges.judge import Judge, Reply
from nano_emox.judges.prompts import Prompt, Question, wording_digest
from nano_emox.judges.replies import parse_labels, parse_overlap, parse_sentiment
from nano_emox.judges.scores import Call, JudgeScore, ScoreLog
from nano_emox.metrics.parsers import without_thoughts

Value = TypeVar("Value")
MALFORMED_ROUNDS = 3  # how often a reply of the wrong form is asked for again, in all
LONGEST_TEXT = 20_000  # characters of a judged text; the rest is not sent
_LONGEST_REPLY = 2_000  # characters of a reply that are stored

QUESTIONS: Mapping[Task, tuple[Question, ...]] = {
    Task.MER: (Question.LABELS,),
    Task.OV_MER: (Question.LABELS,),
    Task.MSA: (Question.SENTIMENT,),
    Task.ERI: (Question.CLUE_OVERLAP, Question.LABEL_OVERLAP),
}
STEPS: Mapping[Question, tuple[Question, ...]] = {
    Question.LABELS: (Question.LABELS,),
    Question.SENTIMENT: (Question.LABELS, Question.SENTIMENT),
    Question.CLUE_OVERLAP: (Question.CLUE_OVERLAP,),
    Question.LABEL_OVERLAP: (Question.LABELS, Question.LABELS, Question.LABEL_OVERLAP),
}


def judge_predictions(
    predictions: Sequence[Prediction],
    judge: Judge,
    log: ScoreLog,
    *,
    batch_size: int = 16,
    advance: Callable[[int], None] | None = None,
) -> list[JudgeScore]:
    """Ask for every value that the log does not have yet; return those asked for now.

    Args:
        predictions: of any tasks; those without a question are passed over.
        judge: the same as the log's.
        log: opened.
        batch_size: predictions at once; a kill loses at most their calls.
        advance: is told how many values were just written.

    Raises:
        MixedJudges: the log's values were asked for in another wording.
        ValueError: an ERI prediction without its gold description.
    """
    asked: list[JudgeScore] = []
    for question in dict.fromkeys(each for questions in QUESTIONS.values() for each in questions):
        wording = wording_digest(STEPS[question])
        todo = [
            prediction
            for prediction in predictions
            if question in QUESTIONS.get(Task(prediction.task), ()) and not log.has((*prediction.key, question.value), wording)
        ]
        for start in range(0, len(todo), batch_size):
            group = todo[start : start + batch_size]
            for prediction, answer in zip(group, _ANSWERERS[question](judge, group), strict=True):
                dataset, task, name = prediction.key
                value = tuple(answer.value) if isinstance(answer.value, list) else answer.value
                score = JudgeScore(name, dataset, task, question.value, value, answer.calls, judge.identity, wording)
                log.append(score)
                asked.append(score)
            if advance:
                advance(len(group))
    return asked


def values_wanted(predictions: Sequence[Prediction]) -> int:
    """How many values these predictions need."""
    return sum(len(QUESTIONS.get(Task(prediction.task), ())) for prediction in predictions)


class _Answer(Generic[Value]):
    """A value on its way through the steps, with the calls so far; None once a call has failed."""

    def __init__(self, value: Value | None, calls: tuple[Call, ...]) -> None:
        self.value, self.calls = value, calls


def _ask(judge: Judge, prompts: Sequence[Prompt | None], parse: Callable[[str], Value | None]) -> list[_Answer[Value]]:
    """Ask for values; a reply of the wrong form is asked for again, unless the judge would only repeat itself."""
    answers: list[_Answer[Value]] = [_Answer(None, ()) for _ in prompts]
    attempts = [0] * len(prompts)
    waiting = [index for index, prompt in enumerate(prompts) if prompt is not None]
    for _ in range(1 if judge.repeatable else MALFORMED_ROUNDS):
        batch = [prompt for index in waiting if (prompt := prompts[index]) is not None]
        malformed = []
        for index, prompt, reply in zip(waiting, batch, judge.ask(batch) if batch else [], strict=True):
            attempts[index] += reply.attempts
            value = parse(reply.text) if reply.text is not None else None
            if value is None and reply.text is not None:
                malformed.append(index)
            answers[index] = _Answer(value, (_call(prompt, reply, value is None, attempts[index]),))
        waiting = malformed
    return answers


def _call(prompt: Prompt, reply: Reply, failed: bool, attempts: int) -> Call:
    error = reply.error or ("the reply has not the asked form" if failed else None)
    text = reply.text[:_LONGEST_REPLY] if reply.text is not None else None
    return Call(prompt.digest, text, error, attempts, reply.answered_by)


def _labels(judge: Judge, texts: Sequence[str]) -> list[_Answer[list[str]]]:
    return _ask(judge, [Prompt(Question.LABELS, {"text": text}) for text in texts], parse_labels)


def _labels_of_answers(judge: Judge, group: Sequence[Prediction]) -> list[_Answer[list[str]]]:
    return _labels(judge, [_shown(prediction.text) for prediction in group])


def _sentiment(judge: Judge, group: Sequence[Prediction]) -> list[_Answer[str]]:
    words = _labels_of_answers(judge, group)
    prompts = [None if each.value is None else Prompt(Question.SENTIMENT, {"words": ", ".join(each.value)}) for each in words]
    return [
        _Answer(last.value, first.calls + last.calls)
        for first, last in zip(words, _ask(judge, prompts, parse_sentiment), strict=True)
    ]


def _clue_overlap(judge: Judge, group: Sequence[Prediction]) -> list[_Answer[float]]:
    prompts = [Prompt(Question.CLUE_OVERLAP, {"reference": _gold(each), "answer": _shown(each.text)}) for each in group]
    return _ask(judge, prompts, parse_overlap)


def _label_overlap(judge: Judge, group: Sequence[Prediction]) -> list[_Answer[float]]:
    gold, answers = _labels(judge, [_gold(each) for each in group]), _labels_of_answers(judge, group)
    prompts = [
        None
        if left.value is None or right.value is None
        else Prompt(Question.LABEL_OVERLAP, {"reference": ", ".join(left.value), "answer": ", ".join(right.value)})
        for left, right in zip(gold, answers, strict=True)
    ]
    rated = _ask(judge, prompts, parse_overlap)
    return [_Answer(c.value, a.calls + b.calls + c.calls) for a, b, c in zip(gold, answers, rated, strict=True)]


def _shown(text: str) -> str:
    """What is judged: the answer without its think block."""
    return _plain(without_thoughts(text))


def _gold(prediction: Prediction) -> str:
    if prediction.gold_description is None:
        raise ValueError(f"{prediction.dataset}/{prediction.id}: an overlap needs the gold description, which is absent")
    return _plain(prediction.gold_description)


def _plain(text: str) -> str:
    """Cut to size; half a surrogate pair, which no tokenizer takes, becomes a question mark."""
    return text[:LONGEST_TEXT].encode(errors="replace").decode()


_ANSWERERS: Mapping[
    Question, Callable[[Judge, Sequence[Prediction]], Sequence[_Answer[list[str]] | _Answer[str] | _Answer[float]]]
] = {
    Question.LABELS: _labels_of_answers,
    Question.SENTIMENT: _sentiment,
    Question.CLUE_OVERLAP: _clue_overlap,
    Question.LABEL_OVERLAP: _label_overlap,
}
