"""The memory plan counts exactly what can be counted, and measures what a real step keeps."""

import pytest
import torch

from callbacks.curriculum import train_only
from experiments.assembly import configure, phases_of
from experiments.plan import out_of_memory_explained, plan
from nano_emox.backbones import build_random
from nano_emox.config import ConfigError
from nano_emox.footprint import cache_bytes, footprint, saved_bytes


@pytest.fixture
def tiny_model():
    config = configure("tiny")
    model = build_random("tiny", config.model, torch.float32)
    for name in ("visual_encoder", "speech_encoder", "facial_encoder"):
        setattr(model, name, None)
    return config, model


def test_weights_gradients_and_optimizer_are_counted(tiny_model):
    config, model = tiny_model
    names = train_only(model, config.phases["phase2"].trainable)
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    trained = sum(sizes[name] for name in names)
    with torch.device("meta"):
        shapes = build_random("tiny", config.model, torch.float32)
    for name in ("visual_encoder", "speech_encoder", "facial_encoder"):
        setattr(shapes, name, None)
    train_only(shapes, config.phases["phase2"].trainable)
    found = footprint(shapes, config.model, rows=2, tokens=64, supervised=8, dtype=torch.float32, autocast=torch.float32)
    assert found.weights == 4 * sum(sizes.values())
    assert found.gradients == 4 * trained
    assert found.optimizer == 8 * trained


def test_what_autograd_keeps_of_shapes_is_what_it_keeps_of_numbers(tiny_model):
    config, model = tiny_model
    train_only(model, config.phases["phase3"].trainable)
    embedded = torch.randn(2, 64, model.language.width, requires_grad=True)
    mask, places = torch.ones(2, 1, 64, 64, dtype=torch.bool), torch.ones(2, 64, dtype=torch.long)
    decoder = model.language.model.get_decoder()
    real = saved_bytes(
        model, lambda: decoder(inputs_embeds=embedded, attention_mask=mask, position_ids=places, use_cache=False)
    )
    with torch.device("meta"):
        shapes = build_random("tiny", config.model, torch.float32)
    train_only(shapes, ["language.*lora_*"])
    found = footprint(shapes, config.model, rows=2, tokens=64, supervised=8, dtype=torch.float32, autocast=torch.float32)
    assert found.activations == pytest.approx(real, rel=0.02)


def test_activations_grow_with_rows_and_what_fits_is_what_is_left(tiny_model):
    config, _ = tiny_model
    sizes = []
    for rows in (1, 4):
        with torch.device("meta"):
            shapes = build_random("tiny", config.model, torch.float32)
        train_only(shapes, config.phases["phase3"].trainable)
        sizes.append(
            footprint(shapes, config.model, rows=rows, tokens=64, supervised=8, dtype=torch.float32, autocast=torch.float32)
        )
    assert sizes[1].activations == pytest.approx(4 * sizes[0].activations, rel=0.02)
    rows = sizes[0].largest_batch(24e9)
    fixed = sizes[0].total - sizes[0].activations
    assert fixed + rows * sizes[0].activations <= 24e9 < fixed + (rows + 1) * sizes[0].activations + 2e9


def test_keys_and_values_of_answers(tiny_model):
    _, model = tiny_model
    assert cache_bytes(model, 3, 100, torch.float32) == 2 * 4 * 2 * 32 * 3 * 100 * 4


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
    assert "rows on 24 GB" in capsys.readouterr().out.replace("\n", " ") or found


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
