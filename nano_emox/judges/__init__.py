"""Judges: labels out of free text, the sentiment of words, overlaps of descriptions, by a rule or a language model.

`LocalJudge` is in `nano_emox.judges.local`: it loads transformers.
"""

from nano_emox.judges.http import HttpJudge
from nano_emox.judges.judge import Identity, Judge, JudgeError, Reply
from nano_emox.judges.prompts import Prompt, Question
from nano_emox.judges.rule import RuleJudge
from nano_emox.judges.run import judge_predictions
from nano_emox.judges.scores import JudgeScore, MixedJudges, ScoreLog, read_scores
from nano_emox.judges.summary import summarise

__all__ = [
    "HttpJudge",
    "Identity",
    "Judge",
    "JudgeError",
    "JudgeScore",
    "MixedJudges",
    "Prompt",
    "Question",
    "Reply",
    "RuleJudge",
    "ScoreLog",
    "judge_predictions",
    "read_scores",
    "summarise",
]
