"""Answers through the Predictor: greedy, or the most probable candidate; and what prompts have in common."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from data_modules.record import Item, Media, Sample, Task
from nano_emox.backbones import load_model, load_tokenizer
from nano_emox.batch import Collator
from nano_emox.predict import Predictor
from nano_emox.prompts import PromptTokenizer
from nano_emox.released_prompts import prompts_in

LABELS = ("angry", "happy", "neutral", "sad", "worried")


def make_item(name: str, task: Task, modalities=("visual", "speech", "face"), subtitle: str | None = None) -> Item:
    generator = torch.Generator().manual_seed(sum(map(ord, name)))

    def features(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    widths = {"visual": 64, "speech": 64, "face": 64}
    inputs = {f"{m}.last": features(4, widths[m]) for m in modalities}
    inputs |= {f"{m}.scales": features(4, 3, widths[m]) for m in modalities if m != "face"}
    sample = Sample(
        name,
        "toy",
        "test",
        (task,),
        Media(audio="c.wav"),
        subtitle=subtitle,
        label="happy",
        words=("happy",),
        candidates=LABELS,
    )
    return Item(sample, task, 0, inputs)


ITEMS = [
    make_item("a", Task.MER, subtitle="we won!"),
    make_item("b", Task.OV_MER, ("speech",), "oh no"),
    make_item("c", Task.MIR, ("visual", "face")),
    make_item("d", Task.MER, ("speech",)),
    make_item("e", Task.MER, subtitle="I see. Please go on and tell me what came next."),
]


@pytest.fixture(scope="module")
def prompts(backbones, config) -> PromptTokenizer:
    return PromptTokenizer(load_tokenizer(backbones), config.tokens)


@pytest.fixture(scope="module")
def model(backbones, config):
    torch.manual_seed(0)
    model = load_model(backbones, config)
    with torch.no_grad():
        model.language.model.get_input_embeddings().weight.mul_(4)
    return model.eval()


def test_the_most_probable_candidate_is_that_of_every_candidate_on_its_own(model, prompts):
    predictor = Predictor(model, prompts, max_new_tokens=8, decode="likelihood")
    collate = Collator(prompts)
    said = predictor.answers(ITEMS)
    assert [answer.parsed for answer, item in zip(said, ITEMS, strict=True) if item.task is not Task.OV_MER] == [True] * 4
    for answer, item in zip(said, ITEMS, strict=True):
        if item.task is Task.OV_MER:
            assert answer == Predictor(model, prompts, max_new_tokens=8).answers([item])[0]
            continue
        with torch.no_grad():
            losses = [
                float(model(collate([replace(item, sample=replace(item.sample, label=label))]))[0].row_sums[0])
                for label in LABELS
            ]
        assert answer.label == LABELS[losses.index(min(losses))]


def test_answers_do_not_depend_on_who_is_in_the_batch_or_what_was_asked_before(model, prompts):
    for decode in ("greedy", "likelihood"):
        predictor = Predictor(model, prompts, max_new_tokens=8, decode=decode)
        together = predictor.answers(ITEMS)
        assert [predictor.answers([item])[0] for item in ITEMS] == together
        assert predictor.answers(ITEMS[::-1])[::-1] == together


@pytest.mark.parametrize("style", ["chat", "released"])
def test_what_a_prompt_has_in_common_is_decided_by_its_task_and_blocks(backbones, config, style):
    collate = Collator(prompts_in(style, load_tokenizer(backbones), config.tokens))
    batch = collate(ITEMS)
    assert batch.prefix is not None
    starts = [tuple(row[:size].tolist()) for row, size in zip(batch.input_ids, batch.prefix, strict=True)]
    assert starts[0] == starts[4]
    assert len(set(starts)) == 4
    assert all(min(start) >= 0 for start in starts)
    if style == "chat":  # right up to the first modality token
        assert all(int(row[size]) < 0 for row, size in zip(batch.input_ids, batch.prefix, strict=True))
        assert collate([make_item("f", Task.MER, (), "hello")]).prefix[0] > 20
    else:
        assert collate([make_item("f", Task.MER, (), "hello")]).prefix == (1,)


def test_a_whole_batch_is_read_as_without_sharing(backbones, config, prompts):
    batch = Collator(prompts)(ITEMS)
    found = []
    for packing in (False, True):
        torch.manual_seed(0)
        model = load_model(backbones, replace(config, packing=packing, shared_prefix=packing)).train()
        model.language.requires_grad_(False)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if hasattr(module, "dropout") and isinstance(module.dropout, float):
                module.dropout = 0.0
        losses, _ = model(batch)
        losses.loss.backward()
        found.append([losses.row_sums.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    assert len(found[0]) > 50
    assert_close(found[0], found[1], atol=1e-4, rtol=1e-3)
