"""Samples with the token counts that are asked for, over real clips, in a real tokenizer.

The tokenizer is trained here on the words that occur, so that a word is about a token as it is for Qwen's; its chat template
has Qwen's system message, which the released prompts have not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerFast

from bench.presets import Row
from data_modules.record import ChainOfEmpathy, Media, Sample, Task, Turn
from data_modules.vocabularies import MINTREC2, SEVEN_EMOTIONS
from nano_emox import tiny
from nano_emox.prompts import PromptTokenizer
from nano_emox.tasks import QUESTIONS, answer

WORDS = [
    "the",
    "a",
    "person",
    "voice",
    "looks",
    "sounds",
    "calm",
    "happy",
    "sad",
    "worried",
    "bright",
    "slow",
    "quick",
    "soft",
    "loud",
    "room",
    "light",
    "face",
    "eyes",
    "mouth",
    "smile",
    "tone",
    "speaks",
    "says",
    "about",
    "work",
    "home",
    "friend",
    "morning",
    "evening",
    "again",
    "never",
    "always",
    "little",
    "much",
    "more",
    "less",
    "because",
    "when",
    "while",
    "then",
    "hope",
    "fear",
    "joy",
    "anger",
    "surprise",
    "trust",
    "doubt",
    "thanks",
    "please",
    "listen",
    "wait",
    "leave",
    "stay",
    "open",
    "close",
    "warm",
    "cold",
]
SYSTEM = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer in which a word of the samples is one token."""
    chain = answer(_sample("x", Row(Task.ERG, 0, 0), Path("x"), "calm", "calm"), Task.ERG)
    labels = " ".join(f"{label}, " for label in (*MINTREC2, *SEVEN_EMOTIONS))
    lines = [*QUESTIONS.values(), SYSTEM, labels, chain, "The most likely label is", *(f"{w} {w}, {w}. {w}" for w in WORDS)]
    tokenizer = tiny.train_tokenizer(lines * 4, vocabulary=1500)
    tokenizer.chat_template = "{{ '" + SYSTEM.replace("\n", "\\n") + "' }}" + str(tokenizer.chat_template)
    return tokenizer


def make_samples(
    rows: Sequence[Row], clips: Sequence[Path], prompts: PromptTokenizer, modalities: Collection[str], seed: int = 0
) -> list[tuple[Sample, Task]]:
    """One sample a row, filled up with words until it has the row's tokens.

    A row that is over its length without any word more stays as it is: what was reached is reported, see `lengths`.
    """
    draw = np.random.default_rng(seed)
    made = []
    for number, row in enumerate(rows):
        name, clip = f"{row.task.value}-{seed}-{number}", clips[number % len(clips)]
        said = told = ""
        if row.task in (Task.ERI, Task.ERG):

            def supervised(text: str, name: str = name, row: Row = row, clip: Path = clip) -> int:
                return lengths(_sample(name, row, clip, "", text), row.task, prompts)[1]

            told = _fill(draw, row.supervised, supervised)
        if "text" in modalities:

            def tokens(text: str, name: str = name, row: Row = row, clip: Path = clip, told: str = told) -> int:
                return lengths(_sample(name, row, clip, text, told), row.task, prompts, modalities)[0]

            said = _fill(draw, row.tokens, tokens)
        made.append((_sample(name, row, clip, said, told), row.task))
    return made


def lengths(sample: Sample, task: Task, prompts: PromptTokenizer, modalities: Collection[str] = ()) -> tuple[int, int]:
    """Tokens of the whole row, and supervised ones."""
    blocks = [name for name in prompts.tokens if name in modalities]
    prompt = prompts.compose(sample, task, blocks, text="text" in modalities, drop_turns=0)
    target = len(prompts.answer_ids(answer(sample, task)))
    return len(prompts.prompt_ids(prompt)) + target, target


def _fill(draw: np.random.Generator, wanted: int, measure: Callable[[str], int]) -> str:
    """Words until `measure` of them is `wanted`, or would be more."""
    chosen: list[str] = [str(draw.choice(WORDS))]
    while (missing := wanted - measure(" ".join(chosen))) > 0:
        chosen += [str(word) for word in draw.choice(WORDS, missing)]
    while len(chosen) > 1 and measure(" ".join(chosen)) > wanted:
        chosen.pop()
    return " ".join(chosen)


def _sample(name: str, row: Row, clip: Path, said: str, told: str) -> Sample:
    """A sample of the row's task; `said` is its subtitle, `told` the free text of its answer."""
    labels = MINTREC2 if row.task is Task.MIR else SEVEN_EMOTIONS
    chain = ChainOfEmpathy("an evening at home", "sad", "a friend leaves", "comfort the person")
    return Sample(
        name, "bench", "train", (row.task,), Media(video=clip), subtitle=said or None, label=labels[len(name) % len(labels)],
        candidates=tuple(sorted(labels, key=str.casefold)), description=told, chain=chain, response=told, words=("sad",),
        history=(Turn("speaker", "I stay home again."),) if row.task is Task.ERG else (),
    )  # fmt: skip
