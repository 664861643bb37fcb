"""Full-size towers in the published layouts, with random weights: what our loaders bring back gives equal features."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, CLIPVisionModel, HubertConfig, HubertModel
from transformers.initialization import no_init_weights

from nano_emox import tiny
from nano_emox.backbones import PAPER, load_towers
from nano_emox.config import BackboneConfig, ModelConfig
from nano_emox.encoders import FacialEncoder, FrozenEncoder, SpeechEncoder, VisualEncoder
from nano_emox.encoders.facial import FaceNetwork

SIZES = [pytest.param("tiny", id="tiny"), pytest.param("published", id="published", marks=pytest.mark.slow)]
WEIGHTS = ["model.safetensors", "pytorch_model.bin"]
CLIP_SIZES = {"published": (768, 3072, 12, 12), "tiny": (32, 64, 2, 2)}  # of the text tower, which is not read


def fill(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Random weights that keep activations finite; the values change with every tensor."""
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).mul_(0.02)
    for number, (name, value) in enumerate(module.state_dict().items()):
        if value.is_floating_point():
            drawn = noise.roll(number * 7919).repeat(value.numel() // len(noise) + 1)[: value.numel()].view(value.shape)
            norm = ("norm" in name and name.endswith("weight")) or "original0" in name
            value.copy_(drawn + 1 if norm else drawn)
        yield name, value


def write(state: dict[str, Tensor], directory: Path, file: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if file.endswith(".bin"):
        torch.save(state, directory / file)
    else:
        save_file({name: value.contiguous() for name, value in state.items()}, directory / file, {"format": "pt"})


@pytest.fixture
def scratch(tmp_path) -> Iterator[Path]:
    """Gigabytes, removed at once: pytest itself keeps the directories of its last runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def build_clip(size: str, directory: Path, file: str) -> VisualEncoder:
    """`openai/clip-vit-large-patch14` holds both towers and two projections; the names are the published ones."""
    vision = PAPER["visual"] if size == "published" else tiny.VISUAL
    width, intermediate, layers, heads = CLIP_SIZES[size]
    text = {"hidden_size": width, "intermediate_size": intermediate, "num_hidden_layers": layers, "num_attention_heads": heads}
    config = CLIPConfig(text_config=text, vision_config=vision.to_dict(), projection_dim=width)
    whole = CLIPModel(config).eval()
    state = dict(fill(whole))
    state["vision_model.embeddings.position_ids"] = torch.arange(3)[None]  # old files carry these buffers
    write(state, directory, file)
    config.save_pretrained(directory)
    processor = {"crop_size": vision.image_size, "size": vision.image_size, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (directory / "preprocessor_config.json").write_text(json.dumps(processor))
    assert any(name.startswith("vision_model.encoder.layers.") for name in state)
    assert any(name.startswith("text_model.encoder.layers.") for name in state)
    tower = CLIPVisionModel(vision)
    tower.load_state_dict(whole.vision_model.state_dict())
    return VisualEncoder(tower, size=vision.image_size, mean=[0.5] * 3, std=[0.25] * 3)


def build_hubert(size: str, directory: Path, file: str) -> SpeechEncoder:
    """`TencentGameMate/chinese-hubert-large` has the older names of weight normalisation, and no mask embedding."""
    config: HubertConfig = PAPER["speech"] if size == "published" else tiny.SPEECH
    tower = HubertModel(config).eval()
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = {}
    for name, value in fill(tower):
        for new, published in old.items():
            name = name.replace(new, published)
        if name != "masked_spec_embed":
            state[name] = value
    write(state, directory, file)
    config.save_pretrained(directory)
    return SpeechEncoder(tower)


def build_face(size: str, directory: Path, file: str) -> FacialEncoder:
    """FaceXFormer's file holds a decoder, too, and lies in `ckpts/` on the hub."""
    network = FaceNetwork() if size == "published" else FaceNetwork(**tiny.FACE)
    state = dict(fill(network)) | {"face_decoder.layers.0.weight": torch.zeros(3), "pe_layer.table": torch.zeros(3)}
    path = directory / ("model.pt" if file == "model.safetensors" else "ckpts/model.pt")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict_backbone": state}, path)
    return FacialEncoder(network)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("file", WEIGHTS)
@pytest.mark.parametrize(
    ("part", "name", "build"),
    [
        ("visual", "clip-vit-large-patch14", build_clip),
        ("speech", "chinese-hubert-large", build_hubert),
        ("face", "facexformer", build_face),
    ],
    ids=["clip", "hubert", "facexformer"],
)
def test_published_layouts_load_with_equal_features(part, name, build, size, file, scratch):
    with no_init_weights():
        built: FrozenEncoder = build(size, scratch / name, file)
    config = BackboneConfig(root=str(scratch), dtype="float32")
    loaded = load_towers(config, ModelConfig(), [part])[part]
    generator = torch.Generator().manual_seed(0)
    if part == "speech":
        media = torch.randn(1, 2, 4000, generator=generator)
    else:
        media = torch.randint(0, 256, (1, 1, 3, loaded.size, loaded.size), generator=generator, dtype=torch.uint8)
    expected, actual = built(media), loaded(media)
    assert expected.keys() == actual.keys()
    for key, value in expected.items():
        assert bool(value.isfinite().all())
        assert float(value.std()) > 0
        assert torch.equal(actual[key], value), key


def test_a_file_of_another_model_is_refused_with_names(tmp_path):
    """transformers would leave what is missing at random, with a warning."""
    directory = tmp_path / "chinese-hubert-large"
    build_hubert("tiny", directory, "pytorch_model.bin")
    state = torch.load(directory / "pytorch_model.bin", weights_only=True)
    del state["encoder.layers.3.final_layer_norm.weight"]
    write(state, directory, "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"encoder\.layers\.3\.final_layer_norm\.weight"):
        load_towers(BackboneConfig(root=str(tmp_path)), ModelConfig(), ["speech"])


def test_unknown_tensors_in_the_face_file_are_refused(tmp_path):
    directory = tmp_path / "facexformer"
    build_face("tiny", directory, "model.safetensors")
    content = torch.load(directory / "model.pt", weights_only=True)
    content["state_dict_backbone"]["neck.weight"] = torch.zeros(1)
    torch.save(content, directory / "model.pt")
    with pytest.raises(ValueError, match=r"neck\.weight"):
        load_towers(BackboneConfig(root=str(tmp_path)), ModelConfig(), ["face"])


def test_a_missing_checkpoint_says_where_it_was_looked_for_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "clip-vit-large-patch14").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        load_towers(BackboneConfig(root=str(tmp_path)), ModelConfig(), ["visual", "face"])
    said = str(caught.value)
    assert "lacks config.json, preprocessor_config.json, model.safetensors or pytorch_model.bin" in said
    assert "hf download openai/clip-vit-large-patch14" in said
    assert "nor is it in the hub's cache" in said
    assert "model.pt or ckpts/model.pt" in said


def test_the_hub_is_asked_only_when_told_to_and_its_answer_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    config = BackboneConfig(root=str(tmp_path), allow_download=True)
    with pytest.raises(FileNotFoundError, match="the hub answered"):
        load_towers(config, ModelConfig(), ["speech"])


def test_a_checkpoint_in_the_hubs_cache_is_found(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    stored = cache / "models--TencentGameMate--chinese-hubert-large"
    build_hubert("tiny", stored / "snapshots" / "abc", "pytorch_model.bin")
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("abc")
    towers = load_towers(BackboneConfig(root=str(tmp_path / "nowhere"), dtype="float32"), ModelConfig(), ["speech"])
    assert towers["speech"].width == tiny.SPEECH.hidden_size
