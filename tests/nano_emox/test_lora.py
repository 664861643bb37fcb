"""LoRA within one product is peft's LoRA."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from nano_emox.lora import accumulate


def make(dtype: torch.dtype = torch.float32, dropout: float = 0.3) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40), nn.SiLU(), nn.Linear(40, 12, bias=False)).to(dtype)
    inject_adapter_in_model(LoraConfig(r=4, lora_alpha=12, lora_dropout=dropout, target_modules=["0", "2"]), model)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter, dtype=torch.float32) * 0.3
    return model


def outcome(model: nn.Module, x: torch.Tensor, autocast: bool = False) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    torch.manual_seed(1)  # of dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = model(x)
    out.float().square().sum().backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
    assert len(gradients) == 4
    return [out.detach(), x.grad, *gradients]


@pytest.mark.parametrize("shape", [(24,), (5, 24), (2, 5, 24)])
def test_outputs_and_gradients_are_those_of_peft(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    theirs, own = make(), make()
    accumulate(own)
    found = outcome(own, x)
    assert found[0].shape == (*shape[:-1], 12)
    for one, other in zip(found, outcome(theirs, x), strict=True):
        assert_close(one, other, atol=1e-5 * float(other.abs().max()), rtol=1e-4)
    accumulate(own, False)
    own.zero_grad()
    for one, other in zip(outcome(own, x), outcome(make(), x), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("autocast", [False, True])
def test_float32_lora_on_a_bfloat16_model_keeps_the_models_type(autocast):
    x = torch.randn(3, 7, 24, generator=torch.Generator().manual_seed(2), dtype=torch.bfloat16)
    theirs, own = make(torch.bfloat16), make(torch.bfloat16)
    accumulate(own)
    found, expected = outcome(own, x, autocast), outcome(theirs, x, autocast)
    assert found[0].dtype == torch.bfloat16
    for one, other in zip(found, expected, strict=True):
        assert_close(one.float(), other.float(), atol=0.05 * float(other.abs().max()), rtol=0.05)


@pytest.mark.parametrize("safe", [False, True])
def test_peft_merges_and_unmerges_as_ever(safe):
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(2))
    model = make().eval()
    accumulate(model)
    before = model(x)
    for layer in (model[0], model[2]):
        layer.merge(safe_merge=safe)
    assert model[0].merged_adapters == ["default"]
    assert_close(model(x), before, atol=1e-4, rtol=1e-4)
    assert_close(model[0].base_layer(x), make().eval()[0](x), atol=1e-4, rtol=1e-4)
    for layer in (model[0], model[2]):
        layer.unmerge()
    assert_close(model(x), before, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model[0].base_layer(x), model[0](x), atol=1e-2)


class _Wide(TorchDispatchMode):
    """Notes the operators that give a tensor as wide as the layer's output."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.shape == (5, 40):
            self.names.append(str(function).split(".")[1])
        return out


def test_no_pass_over_the_output_is_made_for_loras_share_alone():
    model = make(dropout=0.0)
    for wanted, expected in ((True, ["addmm", "addmm"]), (False, ["addmm", "mm", "mul", "add"])):
        accumulate(model, wanted)
        with _Wide() as wide:
            model[0](torch.randn(5, 24))
        assert [name for name in wide.names if name not in ("view", "_unsafe_view", "t")] == expected
