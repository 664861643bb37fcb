"""The tiny language model learns from the text stream, through the LanguageHead and a real Trainer."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from nano_emox import tiny
from nano_emox.batch import IGNORED
from nano_emox.language_pretraining import LanguagePretraining, accuracy_by_task
from nano_emox.prompts import PromptTokenizer
from nano_emox.text_stream import TextStream, lines


@pytest.fixture(scope="module")
def prompts():
    return PromptTokenizer(tiny.train_tokenizer(lines(0, 300), 1024), {"visual": 8, "speech": 8, "face": 4, "fusion": 1})


def test_the_stream_is_the_same_for_a_seed_and_supervises_answers_only(prompts):
    one, again, other = (next(iter(TextStream(prompts, 4, seed, pool=2))) for seed in (1, 1, 2))
    assert torch.equal(one.input_ids, again.input_ids)
    assert one.input_ids.shape != other.input_ids.shape or not torch.equal(one.input_ids, other.input_ids)
    assert (one.input_ids >= 0).all()
    supervised = one.labels != IGNORED
    assert torch.equal(one.labels[supervised], one.input_ids[supervised])
    assert (one.labels == prompts.end_of_turn).sum() == 4


def test_a_short_training_lowers_the_loss(prompts):
    torch.manual_seed(0)
    module = LanguagePretraining(tiny.new_language(prompts.tokenizer, 0, hidden=64, layers=2), steps=30)
    stream = TextStream(prompts, 8, 0)
    held_out = next(iter(TextStream(prompts, 32, 99, pool=1)))
    with torch.no_grad():
        before = module.loss(held_out).loss
    Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=30,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(module, DataLoader(stream, batch_size=None))
    with torch.no_grad():
        after = module.loss(held_out).loss
    assert after < 0.75 * before
    scores = accuracy_by_task(module, prompts, seed=3, samples=48)
    assert all(0 <= score <= 1 for score in scores.values())
