"""Text for the tiny language model: samples of the synthetic world with cue words where a clip's tokens would be.

The words describe people of no corpus, so the model learns how cues, words and answers belong together in this world, but
no clip's answer; seeing and hearing is left to the adapters, as it is with a published language model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch.utils.data import IterableDataset

from data_modules.record import Item, Sample, Task
from data_modules.synthetic.streams import text_samples
from nano_emox.batch import Batch, pad
from nano_emox.prompts import PromptTokenizer, Segment, Template, UserText, compose
from nano_emox.tasks import QUESTIONS, answer

HIDDEN_SHARE = 0.12  # of samples are told with only a part of their cues, as phase 1's branches are
BRIEF_SHARE = 0.7  # of samples are asked by the task's identifier alone: the same knowledge in a third of the tokens
BRIEF_TASKS = (Task.MIR, Task.OV_MER, Task.ERI, Task.ERG)  # MER needs its candidates, which fix the spelling of a label


@dataclass(frozen=True, slots=True)
class Told:
    """A sample as it is told in words: the task asked, the user's message, the answer."""

    sample: Sample
    task: Task
    message: list[Segment]

    @property
    def answer(self) -> str:
        """The text to learn."""
        return answer(self.sample, self.task)


def draw(rng: np.random.Generator, brief_share: float = BRIEF_SHARE) -> Iterator[Told]:
    """Endless samples, told."""
    for sample, cues in text_samples(rng):
        if Task.MSA in sample.tasks:
            continue  # never trained on, in no phase: it must transfer
        task = sample.tasks[int(rng.integers(len(sample.tasks)))]
        if len(cues) > 1 and rng.random() < HIDDEN_SHARE:
            kept = rng.permutation(sorted(cues))[: int(rng.integers(1, len(cues)))]
            cues = {name: cues[name] for name in cues if name in kept}
        words = task is Task.ERG or rng.random() > HIDDEN_SHARE
        brief = QUESTIONS[task].split()[0] if task in BRIEF_TASKS and rng.random() < brief_share else None
        yield Told(sample, task, compose(sample, task, tuple(cues), text=words, cues=cues, instruction=brief))


def lines(seed: int, count: int) -> Iterator[str]:
    """Prompts and answers as plain text, to train the tokenizer on."""
    for told in islice(draw(np.random.default_rng(seed), brief_share=0.0), count):
        yield from (segment.text for segment in told.message if isinstance(segment, Template | UserText))
        yield told.answer


class TextStream(IterableDataset[Batch]):
    """Endless batches of prompt and answer without modality slots; the loss is on the answer.

    Args:
        prompts: the language model's tokenizer and template.
        batch_size: rows a batch; rows of like length are put together, `pool` batches at a time.
        seed: of the stream; every loader worker has a stream of its own.
    """

    def __init__(self, prompts: PromptTokenizer, batch_size: int, seed: int, pool: int = 8) -> None:
        self.prompts = prompts
        self.batch_size = batch_size
        self.seed = seed
        self.pool = pool

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        source = draw(rng)
        while True:
            rows = [self._row(next(source)) for _ in range(self.pool * self.batch_size)]
            rows.sort(key=lambda row: len(row[0]) + len(row[1]))
            for index in rng.permutation(self.pool):
                yield self._batch(rows[index * self.batch_size : (index + 1) * self.batch_size])

    def _row(self, told: Told) -> tuple[list[int], list[int], Item]:
        return self.prompts.prompt_ids(told.message), self.prompts.answer_ids(told.answer), Item(told.sample, told.task, 0, {})

    def _batch(self, rows: list[tuple[list[int], list[int], Item]]) -> Batch:
        ids, labels, mask = pad([(prompt, target) for prompt, target, _ in rows], self.prompts.pad_id)
        return Batch(ids, mask, labels, {}, {}, tuple(item for *_, item in rows))
