"""LoRA in one node of the graph is peft's LoRA."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from nano_emox import pieces
from nano_emox.dropout import keep_mask
from nano_emox.lora import LoraLinear, add_lora, fuse_lora

SHAPES = [(24,), (5, 24), (2, 5, 24)]


@pytest.fixture(params=["whole", "pieces"])
def cut(request, monkeypatch):
    """Rows all at once, or two at a time."""
    if request.param == "pieces":
        monkeypatch.setattr(pieces, "PIECE", 2 * 24)


def make(dtype: torch.dtype = torch.float32, dropout: float = 0.3, fused: bool = True) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40), nn.SiLU(), nn.Linear(40, 12, bias=False)).to(dtype)
    add_lora(model, LoraConfig(r=4, lora_alpha=12, lora_dropout=dropout, target_modules=["0", "2"]))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter, dtype=torch.float32) * 0.3
    fuse_lora(model, fused)
    return model


def draw(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=dtype)


def outcome(model: nn.Module, x: Tensor, autocast: bool = False) -> list[Tensor]:
    x = x.clone().requires_grad_()
    torch.manual_seed(1)  # of dropout
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = model(x)
    out.float().square().sum().backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
    assert len(gradients) == 4
    return [out.detach(), x.grad, *gradients]


def close(found: list[Tensor], expected: list[Tensor], share: float = 1e-5) -> None:
    for one, other in zip(found, expected, strict=True):
        assert_close(one.float(), other.float(), atol=share * float(other.abs().max()), rtol=10 * share)


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_those_of_peft(shape):
    found = outcome(make(dropout=0.0), draw(shape))
    assert found[0].shape == (*shape[:-1], 12)
    close(found, outcome(make(dropout=0.0, fused=False), draw(shape)))


@pytest.mark.parametrize("shape", SHAPES)
def test_dropout_scales_what_it_keeps_of_loras_input_alone(shape, cut):
    def by_hand(layer: LoraLinear, x: Tensor) -> Tensor:
        low, up, scaling = layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.scaling["default"]
        dropped = x * keep_mask(x, 0.3) / 0.7
        return layer.base_layer(x) + scaling * dropped @ low.T @ up.T

    own, other = make(), make()
    for layer in (other[0], other[2]):
        layer.forward = lambda x, layer=layer: by_hand(layer, x)
    close(outcome(own, draw(shape)), outcome(other, draw(shape)))
    assert_close(own.eval()(draw(shape)), make(fused=False).eval()(draw(shape)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("autocast", [False, True])
def test_float32_lora_on_a_bfloat16_model_keeps_the_models_type(autocast):
    x = draw((3, 7, 24), torch.bfloat16)
    own, theirs = make(torch.bfloat16, 0.0), make(torch.bfloat16, 0.0, fused=False)
    found, expected = outcome(own, x, autocast), outcome(theirs, x, autocast)
    assert found[0].dtype == torch.bfloat16
    close(found, expected, 0.02)


@pytest.mark.parametrize("name", ["two adapters", "its own weight trains", "its own bias trains", "an adapter is off"])
def test_whatever_else_peft_can_do_peft_does(name):
    def ready(fused: bool) -> nn.Module:
        model = make(dropout=0.0, fused=fused)
        if name == "two adapters":
            model[0].update_layer("other", 4, lora_alpha=4, config=LoraConfig(r=4, init_lora_weights=False, lora_dropout=0.0))
            generator = torch.Generator().manual_seed(5)
            for part in (model[0].lora_A, model[0].lora_B):
                part["other"].weight.data = torch.randn(part["other"].weight.shape, generator=generator)
            model[0].set_adapter(["default", "other"])
        elif name == "an adapter is off":
            model[0].enable_adapters(False)
        else:
            getattr(model[0].base_layer, name.split()[2]).requires_grad_()
        return model

    found = []
    for fused in (True, False):
        model = ready(fused)
        x = draw((5, 24)).requires_grad_()
        model(x).square().sum().backward()
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
        found.append([x.grad, *(p.grad for p in model.parameters() if p.grad is not None)])
    close(*found)


@pytest.mark.parametrize("safe", [False, True])
def test_peft_merges_and_unmerges_as_ever(safe):
    model = make().eval()
    before = model(draw((5, 24)))
    for layer in (model[0], model[2]):
        layer.merge(safe_merge=safe)
    assert model[0].merged_adapters == ["default"]
    assert_close(model(draw((5, 24))), before, atol=1e-4, rtol=1e-4)
    assert_close(model[0].base_layer(draw((5, 24))), make().eval()[0](draw((5, 24))), atol=1e-4, rtol=1e-4)
    for layer in (model[0], model[2]):
        layer.unmerge()
    assert_close(model(draw((5, 24))), before, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model[0].base_layer(draw((5, 24))), model[0](draw((5, 24))), atol=1e-2)


class _Wide(TorchDispatchMode):
    """Notes the operators that give a tensor as wide as the layer's output."""

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.shape == (5, 40):
            self.names.append(str(function).split(".")[1])
        return out


def test_no_pass_over_the_output_is_made_for_loras_share_alone():
    for fused, expected in ((True, ["addmm", "addmm_"]), (False, ["addmm", "mm", "mul", "add"])):
        model = make(dropout=0.0, fused=fused)
        with _Wide() as wide:
            model[0](torch.randn(5, 24))
        assert [name for name in wide.names if name not in ("view", "_unsafe_view", "t", "detach")] == expected


def test_a_layer_keeps_its_input_once_and_of_dropout_a_byte_an_element():
    for fused, most in ((True, 5 * 24 * (4 + 1)), (False, 5 * 24 * (4 + 4 + 4))):
        layer = make(fused=fused)[0]
        own = {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}
        kept: dict[int, int] = {}

        def note(tensor: Tensor, own=own, kept=kept) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        x = torch.randn(5, 24, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = layer(x)
        low = 5 * 4 * 4  # rows, rank, bytes
        kept.pop(x.untyped_storage().data_ptr(), None)
        total = sum(kept.values()) + x.numel() * 4
        assert out.requires_grad
        assert most <= total <= most + 2 * low, fused
