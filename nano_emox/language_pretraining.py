"""Pre-training of the tiny language model: the `LanguageHead` itself, bare, trained on the text stream.

Muon for the matrices, AdamW for embeddings and norms: a run of minutes has few steps, and Muon needs about two thirds of
AdamW's here.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from types import SimpleNamespace

import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from nano_emox.batch import Batch, pad
from nano_emox.language import LanguageHead
from nano_emox.optimisation import schedule
from nano_emox.prompts import PromptTokenizer
from nano_emox.tasks import Answer, parse
from nano_emox.text_stream import draw

MATRIX_RATE, VECTOR_RATE = 0.02, 4e-3
WARMUP = 50


class LanguagePretraining(LanguageHead):
    """A bare language model and the two optimizers that its short training takes.

    Args:
        model: freshly initialised.
        steps: length of the training; warm-up and cosine decay are laid over it.
    """

    def __init__(self, model: PreTrainedModel, steps: int) -> None:
        super().__init__(model)
        self.steps = steps
        self.automatic_optimization = False  # two optimizers

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.loss(batch).row_mean
        optimizers, schedulers = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizers, list)
        assert isinstance(schedulers, list)
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        for scheduler in schedulers:
            scheduler.step()  # type: ignore[call-arg]
        self.log("pretraining/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        matrices = [p for name, p in self.named_parameters() if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
        known = {id(p) for p in matrices}
        vectors = [p for p in self.parameters() if id(p) not in known]
        optimizers = [
            torch.optim.Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.05),
            torch.optim.AdamW(vectors, lr=VECTOR_RATE, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        rate = SimpleNamespace(lr=1.0, min_lr=0.05, warmup_lr=0.002, warmup_steps=min(WARMUP, self.steps // 4 + 1))
        factor = schedule(rate, self.steps)
        return optimizers, [LambdaLR(optimizer, factor) for optimizer in optimizers]


@torch.inference_mode()
def accuracy_by_task(head: LanguageHead, prompts: PromptTokenizer, *, seed: int, samples: int = 240) -> dict[str, float]:
    """Share of fresh samples, told by cue words, whose answer names the right label or first emotion word."""
    head.eval()
    hits: dict[str, list[bool]] = defaultdict(list)
    source = draw(np.random.default_rng(seed), brief_share=0.0)
    while rows := list(islice(source, min(48, samples))):
        samples -= len(rows)
        ids, labels, mask = pad([(prompts.prompt_ids(told.message), []) for told in rows], prompts.pad_id, left=True)
        batch = Batch(ids, mask, labels, {}, {})
        said = head.generate(batch, max_new_tokens=120, eos_token_id=prompts.end_of_turn, pad_token_id=prompts.pad_id)
        for told, row in zip(rows, said, strict=True):
            text = str(prompts.tokenizer.decode(row, skip_special_tokens=True))
            gold, read = (parse(told.task, words, told.sample.candidates) for words in (told.answer, text))
            hits[told.task.value].append(_first(read) == _first(gold))
    return {task: round(float(np.mean(values)), 3) for task, values in sorted(hits.items())}


def _first(read: Answer) -> str | None:
    return read.label or (read.words[0] if read.words else None)
