"""The modules give the numbers of the released ones (fixtures made by running the released code, see its README)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close
from transformers import CLIPVisionConfig, CLIPVisionModel, HubertConfig, HubertModel

from nano_emox.adapters import FacialAdapter, QFormerAdapter
from nano_emox.encoders import FacialEncoder, SpeechEncoder, VisualEncoder
from nano_emox.encoders.facial import FaceNetwork
from nano_emox.fusion import FusionEncoder


def recipe(salt: str, entry: list) -> torch.Tensor:
    """A tensor of a fixture that stores only how its numbers are made (64-bit integer hashing)."""
    name, shape, offset, scale = entry
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = (np.uint64(zlib.crc32((salt + name).encode())) << np.uint64(32)) + index + np.uint64(1)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return torch.from_numpy((offset + scale * unit).astype(np.float32)).reshape(shape)


def fixture(parity: Path, name: str) -> tuple[dict, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    described = json.loads((parity / f"{name}.json").read_text())
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in load_file(parity / f"{name}.safetensors").items()}
    if "recipe" in described:
        salt = described["recipe"]["salt"]
        tensors |= {f"param.{e[0]}": recipe(salt, e) for e in described["recipe"]["params"]}
        tensors |= {e[0]: recipe(salt, e) for e in described["recipe"]["inputs"]}
    params = {k.removeprefix("param."): v for k, v in tensors.items() if k.startswith("param.")}
    return described, tensors, params


def close(actual: torch.Tensor, expected: torch.Tensor, described: dict) -> None:
    assert_close(actual, expected, atol=described["tolerance"]["atol"], rtol=described["tolerance"]["rtol"])


@pytest.mark.parametrize("name", ["fusion_0", "fusion_2", "fusion_4", "fusion_full_a"])
def test_fusion(parity, name):
    described, tensors, params = fixture(parity, name)
    c = described["config"]
    fusion = FusionEncoder(
        c["audio_dim"],
        c["visual_dim"],
        c["llm_dim"],
        tokens=c["num_multi_query_token"],
        hidden=c["hidden_dim"],
        heads=c["num_heads"],
    ).eval()
    renamed = {}
    for key, value in params.items():
        key = key.replace("multi_multiscale_fusion.", "").replace("multi_llama_proj", "projection")
        key = key.replace("audio_proj.", "speech_projection.").replace("visual_proj.", "visual_projection.")
        for i in range(3):
            key = key.replace(f"cross_attns.{i}.", f"experts.{i}.attention.").replace(
                f"ffns.{i}.", f"experts.{i}.feed_forward."
            )
        renamed[key.replace("gate_mlp.", "gate.network.")] = value
    fusion.load_state_dict(renamed)
    speech = tensors["in.audio_multi"].unflatten(-1, (3, c["audio_dim"]))
    visual = tensors["in.visual_multi"].unflatten(-1, (3, c["visual_dim"]))

    out = fusion(speech, visual)

    close(out.gates, tensors["out.gate"], described)
    for i in range(3):
        close(out.experts[:, i], tensors[f"out.scale{i}"], described)
    close(out.tokens, tensors["out.token"], described)


def qformer_names(key: str) -> str | None:
    """The released name of a Q-Former parameter as ours."""
    if key.endswith("position_ids"):
        return None
    key = key.split("Qformer.bert.")[-1]
    key = key.replace("embeddings.LayerNorm.", "layernorm.").replace(".attention.self.", ".attention.attention.")
    return "qformer." + key.replace(".crossattention.self.", ".crossattention.attention.")


@pytest.mark.parametrize("name", ["qformer_0", "qformer_2", "qformer_full_a"])
def test_qformer(parity, name):
    described, tensors, params = fixture(parity, name)
    c = described["config"]
    adapter = QFormerAdapter(
        c["encoder_width"], c["llm_dim"], queries=c["num_query_tokens"], positions=c["max_frames"], hidden=c["hidden_size"],
        layers=c["num_hidden_layers"], heads=c["num_attention_heads"], intermediate=c["intermediate_size"],
    ).eval()  # fmt: skip
    renamed = {}
    for key, value in params.items():
        if "position_embedding" in key:
            renamed["positions.weight"] = value
        elif "query_tokens" in key:
            renamed["queries"] = value
        elif key.endswith(("_proj.weight", "_proj.bias")):
            renamed["projection." + key.rsplit(".", 1)[1]] = value
        elif ours := qformer_names(key):
            renamed[ours] = value
    adapter.load_state_dict(renamed)
    close(adapter(tensors["in.features"]), tensors["out.projected"], described)


@pytest.mark.parametrize("name", ["facial_0", "facial_2"])
def test_facial(parity, name):
    described, tensors, params = fixture(parity, name)
    c = described["config"]
    network = FaceNetwork(depths=(1, 1, 1, 1)).eval()
    tower = {k.split("facexformer.")[1]: v for k, v in params.items() if "facexformer" in k}
    missing, unexpected = network.load_state_dict(tower, strict=False)
    assert not unexpected
    assert all(key.startswith("backbone") for key in missing)
    adapter = FacialAdapter(256, c["llm_dim"], queries=c["num_facial_query_token"]).eval()
    renamed = {}
    for key, value in params.items():
        key = key.removeprefix("facial_encoder.")
        if not key.startswith(("facexformer", "lynorm")):  # the released norm is saved, and never applied
            renamed[key.replace("query", "queries").replace("attn.", "attention.").replace("face_proj.", "projection.")] = value
    adapter.load_state_dict(renamed)

    frames = network.fuse([tensors[f"in.map{i}"] for i in range(4)]).unflatten(0, (c["batch"], c["frames"]))

    close(frames, tensors["out.frame_features"], described)
    close(adapter.attend(frames), tensors["out.attended"], described)
    close(adapter(frames), tensors["out.projected"], described)


def test_face_network_has_the_published_names(parity):
    keys = json.loads((parity / "facexformer_keys.json").read_text())["keys"]
    with torch.device("meta"):
        own = {name: list(value.shape) for name, value in FaceNetwork().state_dict().items()}
    assert own == {key["name"]: key["shape"] for key in keys}


@pytest.mark.slow
def test_facial_at_full_size_through_swin(parity):
    described, tensors, params = fixture(parity, "facial_full_a")
    state = {k.split("facexformer.")[1]: v for k, v in params.items() if "facexformer" in k}
    network = FaceNetwork().eval()
    assert not network.load_state_dict(state, strict=False).unexpected_keys
    encoder = FacialEncoder(network, pixels="released")
    close(encoder(tensors["in.frames_uint8"][None])["last"], tensors["out.frame_features"], described)


@pytest.mark.parametrize("name", ["encoder_clip_0", "encoder_clip_2"])
def test_visual_encoder(parity, name):
    described, tensors, params = fixture(parity, name)
    c = described["config"]
    tower = CLIPVisionModel(CLIPVisionConfig(**c["vision_config"]))
    own = tower.state_dict()
    state = {key.split("vision_model.")[-1]: value for key, value in params.items()}
    tower.load_state_dict({k: v for k, v in state.items() if k in own})
    encoder = VisualEncoder(tower, layers=c["multi_layers"], size=c["processor"]["size"])
    frames = tensors["in.frames"].movedim(1, 2).to(torch.uint8)  # (b, t, 3, h, w)
    same_size = frames.shape[-1] == frames.shape[-2] == encoder.size

    pixels = encoder.pixels(frames.flatten(0, 1))
    assert_close(pixels, tensors["out.pixel_values"], atol=1e-5 if same_size else 0.016, rtol=0)  # else within one grey level
    if same_size:
        out = encoder(frames)
        close(out["last"], tensors["out.single"], described)
        close(out["scales"].flatten(2), tensors["out.multi"], described)


def test_speech_encoder(parity):
    described, tensors, params = fixture(parity, "encoder_hubert_0")
    tower = HubertModel(HubertConfig(**described["config"]))
    own = tower.state_dict()
    state = {key.removeprefix("hubert."): value for key, value in params.items()}
    tower.load_state_dict({k: v for k, v in state.items() if k in own})
    encoder = SpeechEncoder(tower, layers=described["multi_layers"])
    out = encoder(tensors["in.waveform"].flatten(2))
    close(out["last"], tensors["out.single_alone"], described)
    close(out["scales"].flatten(2), tensors["out.multi_alone"], described)
