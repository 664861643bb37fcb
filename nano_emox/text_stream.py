"""Text for the tiny language model: samples of the synthetic world with cue words where a clip's tokens would be.

The words describe people of no corpus, so the model learns how cues, words and answers belong together in this world, but
no clip's answer; seeing and hearing is left to the adapters, as it is with a published language model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch.utils.data import IterableDataset

from data_modules.record import Item, Sample, Task
from data_modules.synthetic.streams import text_samples
from nano_emox.batch import IGNORED, Batch
from nano_emox.prompts import PromptTokenizer, Template, UserText, compose
from nano_emox.tasks import answer

HIDDEN_SHARE = 0.15  # of samples are told with only a part of their cues, as phase 1's branches are


def draw(rng: np.random.Generator) -> Iterator[tuple[Sample, Task, dict[str, str], bool]]:
    """Endless (sample, task, cues, whether the words are given)."""
    for sample, cues in text_samples(rng):
        if Task.MSA in sample.tasks:
            continue  # never trained on, in no phase: it must transfer
        task = sample.tasks[int(rng.integers(len(sample.tasks)))]
        if len(cues) > 1 and rng.random() < HIDDEN_SHARE:
            kept = rng.permutation(sorted(cues))[: int(rng.integers(1, len(cues)))]
            cues = {name: cues[name] for name in cues if name in kept}
        yield sample, task, cues, task is Task.ERG or rng.random() > HIDDEN_SHARE


def lines(seed: int, count: int) -> Iterator[str]:
    """Prompts and answers as plain text, to train the tokenizer on."""
    for number, (sample, task, cues, told) in enumerate(draw(np.random.default_rng(seed))):
        if number == count:
            return
        for segment in compose(sample, task, tuple(cues), text=told, cues=cues):
            if isinstance(segment, Template | UserText):
                yield segment.text
        yield answer(sample, task)


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
            rows = [self._row(*next(source)) for _ in range(self.pool * self.batch_size)]
            rows.sort(key=lambda row: len(row[0]) + len(row[1]))
            for index in rng.permutation(self.pool):
                yield self._batch(rows[index * self.batch_size : (index + 1) * self.batch_size])

    def _row(self, sample: Sample, task: Task, cues: Mapping[str, str], told: bool) -> tuple[list[int], list[int], Item]:
        segments = compose(sample, task, tuple(cues), text=told, cues=cues)
        return self.prompts.prompt_ids(segments), self.prompts.answer_ids(answer(sample, task)), Item(sample, task, 0, {})

    def _batch(self, rows: list[tuple[list[int], list[int], Item]]) -> Batch:
        length = max(len(prompt) + len(target) for prompt, target, _ in rows)
        input_ids = torch.full((len(rows), length), self.prompts.pad_id)
        labels = torch.full((len(rows), length), IGNORED)
        mask = torch.zeros((len(rows), length), dtype=torch.bool)
        for row, (prompt, target, _) in enumerate(rows):
            size = len(prompt) + len(target)
            input_ids[row, :size] = torch.tensor(prompt + target)
            labels[row, len(prompt) : size] = torch.tensor(target)
            mask[row, :size] = True
        return Batch(input_ids, mask, labels, {}, {}, tuple(item for *_, item in rows))
