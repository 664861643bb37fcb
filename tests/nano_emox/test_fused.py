"""Norms and gated activations in fewer passes give transformers' numbers."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP, Qwen2RMSNorm

from nano_emox import fused, pieces
from nano_emox.fused import fuse

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


@pytest.fixture(autouse=True, params=["whole", "pieces"])
def cut(request, monkeypatch):
    """Tensors large enough to be cut, or small ones."""
    if request.param == "pieces":
        monkeypatch.setattr(pieces, "PIECE", 3 * 48)
        monkeypatch.setattr(fused, "LARGE", 0)


def both(make, run) -> tuple[list[Tensor], list[Tensor]]:
    """What `run` gives of a module as it is published, and fused."""
    found = []
    for wanted in (False, True):
        torch.manual_seed(0)
        module = make()
        fuse(module)
        fuse(module, wanted)
        assert any("forward" in part.__dict__ for part in module.modules()) == wanted
        found.append(run(module))
    return found[0], found[1]


def gradients(module: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    out = module(x)
    (out * torch.linspace(-1, 2, out.numel()).view_as(out)).sum().backward()
    return [out.detach(), x.grad, *(parameter.grad for parameter in module.parameters() if parameter.requires_grad)]


@pytest.mark.parametrize("shape", [(32,), (7, 32), (2, 5, 32)])
@pytest.mark.parametrize("trains", [False, True])
def test_a_norm_and_its_gradients(shape, trains):
    def make() -> nn.Module:
        norm = Qwen2RMSNorm(32, eps=1e-5)
        norm.weight.data.uniform_(0.5, 1.5).requires_grad_(trains)
        return nn.Sequential(norm)

    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * torch.tensor(3.0)
    published, own = both(make, lambda module: gradients(module.requires_grad_(trains), x))
    assert len(own) == 2 + trains
    assert_close(own, published, atol=1e-5, rtol=1e-5)


def test_a_feed_forward_network_and_its_gradients():
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1))
    published, own = both(lambda: nn.Sequential(Qwen2MLP(Qwen2Config(**SIZES))), lambda module: gradients(module, x))
    assert_close(own, published, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "make", [lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)), lambda: LlamaForCausalLM(LlamaConfig(**SIZES))]
)
def test_a_whole_model_and_its_gradients(make):
    ids = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(1))

    def run(model: nn.Module) -> list[Tensor]:
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        return [loss.detach(), *(parameter.grad for parameter in model.parameters())]

    published, own = both(make, run)
    assert_close(own, published, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16_is_transformers_own(autocast):
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1), dtype=torch.bfloat16)

    def run(module: nn.Module) -> list[Tensor]:
        module = module.to(torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return gradients(module, x)

    published, own = both(lambda: nn.Sequential(Qwen2RMSNorm(32), Qwen2MLP(Qwen2Config(**SIZES))), run)
    assert own[0].dtype == published[0].dtype
    assert_close(own, published, atol=0.05, rtol=0.05)


def test_other_activations_and_other_models_are_left_alone():
    mlp = Qwen2MLP(Qwen2Config(**SIZES, hidden_act="gelu"))
    other = GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20, n_positions=8))
    for model in (mlp, other):
        fuse(model)
        assert {type(part).__name__ for part in model.modules() if "forward" in part.__dict__} <= {"Dropout"}


def test_a_namesake_is_left_alone():
    """A model's own code may call a module as transformers does and mean something else."""
    namesake = type("Qwen2RMSNorm", (Qwen2RMSNorm,), {"__module__": "somebody.elses"})(32)
    fuse(namesake)
    assert "forward" not in namesake.__dict__


def test_a_fused_model_is_copied_pickled_and_recomputed_like_any_other():
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    fuse(model)
    ids = torch.randint(0, 50, (3, 9))

    def outcome(model: nn.Module) -> list[Tensor]:
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        return [loss.detach(), *(parameter.grad for parameter in model.parameters())]

    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model).train()]
    copies[2].gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    expected = outcome(model)
    for other in copies:
        assert_close(outcome(other), expected, atol=1e-6, rtol=1e-5)
        other.model.norm.weight.data.zero_()
        assert not other(input_ids=ids).logits.any()  # its own norm's, not those of the model that it was made of


def test_a_gate_whose_gradient_took_its_place_cannot_be_used_again(monkeypatch):
    monkeypatch.setattr(fused, "LARGE", 0)
    module = Qwen2MLP(Qwen2Config(**SIZES))
    fuse(module)
    loss = module(torch.randn(3, 32, requires_grad=True)).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
