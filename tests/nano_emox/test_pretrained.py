"""Folders: what was learned goes out and comes back, and answers stay the same bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from torch.testing import assert_close
from transformers import AutoModelForCausalLM, AutoTokenizer

from data_modules.record import Item, Media, Sample, Task
from nano_emox.backbones import load_model, load_tokenizer
from nano_emox.batch import Collator
from nano_emox.config import ModelConfig
from nano_emox.hub import locate
from nano_emox.model_card import write_card
from nano_emox.pretrained import from_pretrained, merged_language, read_folder, save_pretrained
from nano_emox.prompts import PromptTokenizer

ABOUT = {
    "phase": "phase3", "source": "run toy", "seed": 3, "modalities": ["visual", "speech"], "data": {"phase3": {"MIntRec": 1.0}},
    "metrics": {"mir.waf": 0.5}, "synthetic": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(backbones, config):
    """A model whose adapters and LoRA have moved, as after phase 3."""
    torch.manual_seed(0)
    model = load_model(backbones, config, online=True).eval()
    names = [n for n, p in model.named_parameters() if "_encoder" not in n and (p.requires_grad or "language" not in n)]
    state = {n: p.detach() + 0.05 * torch.randn_like(p) for n, p in model.named_parameters() if n in names}
    model.init_from(state, "a toy run")
    return model


@pytest.fixture(scope="module")
def batch(backbones, config, media):
    items = []
    for row in range(2):
        sample = Sample(
            f"s{row}", "toy", "test", (Task.MIR,), Media(video="v.mp4"), subtitle="She is happy.", candidates=("a", "b")
        )
        inputs = {name: value[row] for name, value in media(2).items()}
        items.append(Item(sample, Task.MIR, 0, inputs))
    prompts = PromptTokenizer(load_tokenizer(backbones), config.tokens)
    return Collator(prompts, generate=True)(items)


@pytest.fixture(scope="module")
def folder(trained, backbones, config, tmp_path_factory):
    where = tmp_path_factory.mktemp("export") / "model"
    save_pretrained(trained, where, config, backbones, tokenizer=load_tokenizer(backbones), about=ABOUT)
    write_card(where)
    return where


def test_a_round_trip_answers_the_same_bit_for_bit(trained, folder, batch, config):
    back = from_pretrained(folder, online=True)
    assert back.config == config
    for name, value in trained.state_dict().items():
        assert torch.equal(back.model.state_dict()[name], value), name
    assert torch.equal(trained.generate(batch, 12), back.model.generate(batch, 12))
    ours, theirs = trained.embed(batch), back.model.embed(batch)
    first = trained.language.splice(batch.input_ids, ours.tokens, batch.slots)
    assert torch.equal(first, back.model.language.splice(batch.input_ids, theirs.tokens, batch.slots))
    assert back.prompts is not None
    assert back.prompts.answer_ids("yes") == PromptTokenizer(back.prompts.tokenizer, config.tokens).answer_ids("yes")


def test_peft_itself_reads_the_adapter(trained, folder, backbones, batch):
    base = AutoModelForCausalLM.from_pretrained(locate(backbones, ["language"])["language"], dtype=torch.float32)
    wrapped = PeftModel.from_pretrained(base, folder / "adapter").eval()
    ids = batch.input_ids.clamp(min=0)
    with torch.no_grad():
        assert_close(wrapped(ids).logits, trained.language.model(ids).logits, atol=1e-5, rtol=1e-4)


def test_merging_leaves_a_plain_language_model(trained, backbones, config, batch, tmp_path):
    where = tmp_path / "merged"
    save_pretrained(trained, where, config, backbones, tokenizer=load_tokenizer(backbones), about=ABOUT, merge=True)
    assert not (where / "adapter").exists()
    plain = AutoModelForCausalLM.from_pretrained(where / "language")
    assert AutoTokenizer.from_pretrained(where / "language").vocab_size
    ids = batch.input_ids.clamp(min=0)
    with torch.no_grad():
        torch.testing.assert_close(plain(ids).logits, trained.language.model(ids).logits, atol=1e-4, rtol=1e-4)
    assert not any("lora" in name for name in merged_language(trained.language).state_dict())
    back = from_pretrained(where, online=True)
    assert torch.equal(back.model.generate(batch, 12), trained.generate(batch, 12))


def test_the_card_and_the_description_say_what_the_run_recorded(folder, config):
    about, read = read_folder(folder)
    assert read == config
    assert about["phase"] == "phase3"
    assert about["learned"]["language (LoRA)"] > 0
    card = (folder / "README.md").read_text()
    for words in ("phase3", "MIntRec | 1.0", "mir.waf | 0.5000", "synthetic", "language (LoRA)", "adapter_model.safetensors"):
        assert words in card


def test_a_folder_is_never_written_over(trained, folder, backbones, config):
    with pytest.raises(FileExistsError, match="not empty"):
        save_pretrained(trained, folder, config, backbones)


def test_what_is_wrong_with_a_folder_is_said(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        read_folder(tmp_path)
    for name in ("config.json", "processor_config.json"):
        content = json.loads((folder / name).read_text()) | ({"colour": 1} if name.startswith("p") else {})
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ValueError, match="colour"):
        read_folder(tmp_path)


def test_a_model_that_has_learned_nothing_is_not_exported(backbones, config: ModelConfig, tmp_path):
    with pytest.raises(ValueError, match="learned nothing"):
        save_pretrained(load_model(backbones, replace(config)), tmp_path / "new", config, backbones)
