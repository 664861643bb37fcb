"""The memory plan counts exactly what can be counted, and measures what a real step keeps."""

import pytest
import torch
from transformers import Qwen2ForCausalLM

from callbacks.curriculum import train_only
from experiments.assembly import configure, phases_of
from experiments.plan import out_of_memory_explained, plan
from nano_emox.backbones import TINY
from nano_emox.config import ConfigError
from nano_emox.footprint import cache_bytes, footprint, saved_bytes
from nano_emox.language import LanguageHead
from nano_emox.model import NanoEmoX

WIDTHS = {"visual": 64, "speech": 64, "face": 64}


@pytest.fixture(scope="module")
def config():
    return configure("tiny")


def build(config, phase, device="meta"):
    """The tiny model without towers, frozen for a phase."""
    with torch.device(device):
        model = NanoEmoX(config.model, LanguageHead(Qwen2ForCausalLM(TINY["language"]), lora_rank=16, lora_dropout=0.0), WIDTHS)
    train_only(model, config.phases[phase].trainable)
    return model


def measured(config, model, rows=2, device="cuda"):
    return footprint(
        model, config.model, rows=rows, tokens=64, supervised=8, dtype=torch.float32, autocast=torch.float32, device=device
    )


def test_weights_gradients_and_optimizer_are_counted(config):
    model = build(config, "phase2")
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    trained = sum(size for size, trains in sizes if trains)
    found = measured(config, model)
    assert found.weights == 4 * sum(size for size, _ in sizes)
    assert found.gradients == 4 * trained
    assert found.optimizer == 8 * trained


def test_what_autograd_keeps_of_shapes_is_what_it_keeps_of_numbers(config):
    model = build(config, "phase3", "cpu")
    model.requires_grad_(False)
    train_only(model, ["language.*lora_*"])
    embedded = torch.randn(2, 64, model.language.width, requires_grad=True)
    mask, places = torch.ones(2, 1, 64, 64, dtype=torch.bool), torch.ones(2, 64, dtype=torch.long)
    decoder = model.language.model.get_decoder()
    real = saved_bytes(
        model, lambda: decoder(inputs_embeds=embedded, attention_mask=mask, position_ids=places, use_cache=False)
    )
    shapes = build(config, "phase3")
    train_only(shapes, ["language.*lora_*"])
    assert measured(config, shapes, device="cpu").activations == pytest.approx(real, rel=0.02)


@pytest.mark.parametrize("phase", ["phase2", "phase3"])
def test_a_gpu_keeps_at_least_what_a_cpu_keeps(config, phase):
    """There, gated activations and norms are kernels of torch's, each with its own tensors; none is needed to say so."""
    of_cpu, of_gpu = (measured(config, build(config, phase), device=device).activations for device in ("cpu", "cuda"))
    assert of_cpu <= of_gpu < 2 * of_cpu


def test_activations_grow_with_rows_and_what_fits_is_what_is_left(config):
    one, four = (measured(config, build(config, "phase3"), rows) for rows in (1, 4))
    assert four.activations == pytest.approx(4 * one.activations, rel=0.02)
    rows = one.largest_batch(24e9)
    fixed = one.total - one.activations
    assert fixed + rows * one.activations <= 24e9 < fixed + (rows + 1) * one.activations + 2e9


def test_keys_and_values_of_answers(config):
    assert cache_bytes(build(config, "phase3"), 3, 100, torch.float32) == 2 * 4 * 2 * 32 * 3 * 100 * 4


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_table_keeps_the_names_of_phases_whole(width, make_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", width)
    config = make_config(tmp_path, "run=[phase1_speech,phase1_visual]")
    plan(config, tokens=32)
    said = capsys.readouterr().out
    assert all(name in said for name in config.run)
    assert "…" not in said


@pytest.mark.slow
def test_the_paper_preset_is_planned_without_weights(tmp_path, capsys):
    config = configure("paper", [f"backbones.root={tmp_path}"])
    found = plan(config, tokens=360)
    assert list(found) == [phase.name for phase in phases_of(config)]
    assert 3.0e9 < found["phase3"].weights < 3.6e9  # 1.54B in bf16, adapters and LoRA in float32
    assert found["phase3"].activations > found["phase2"].activations
    checkpointed = plan(
        configure("paper", [f"backbones.root={tmp_path}", "model.gradient_checkpointing=true", "run=[phase3]"]), 360
    )
    assert checkpointed["phase3"].activations < found["phase3"].activations / 5
    said = capsys.readouterr().out
    assert "Memory of one training step" in said
    assert "layers recomputed" in said


def test_out_of_memory_names_what_to_turn():
    config = configure("tiny", ["run=[phase3]"])
    with pytest.raises(ConfigError) as caught, out_of_memory_explained(config):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    said = str(caught.value)
    for knob in (
        "phases.phase3.batch_size=16", "trainer.accumulate_grad_batches=1", "model.gradient_checkpointing=False",
        "model.max_length=512", "trainer.precision=32-true", "Tried to allocate 2.00 GiB",
    ):  # fmt: skip
        assert knob in said
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


def test_a_cpu_that_cannot_allocate_is_out_of_memory_too():
    with pytest.raises(ConfigError, match="out of memory"), out_of_memory_explained(configure("tiny")):
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="something else"), out_of_memory_explained(configure("tiny")):
        raise RuntimeError("something else")
