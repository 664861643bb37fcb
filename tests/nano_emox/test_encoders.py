"""The towers: shapes, freezing, preprocessing, identity."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch.testing import assert_close
from torch.utils.data import DataLoader

from nano_emox import tiny
from nano_emox.backbones import load_towers
from nano_emox.encoders import FacialEncoder, SpeechEncoder, VisualEncoder
from nano_emox.encoders.facial import ENTRY


@pytest.fixture(scope="module")
def towers(backbones, config):
    return load_towers(backbones, config)


def test_shapes(towers, media):
    clip = media(2, frames=3, clips=2)
    visual, speech, face = (towers[m](clip[towers[m].media]) for m in ("visual", "speech", "face"))
    assert visual["last"].shape == (2, 3, 64)
    assert visual["scales"].shape == (2, 3, 3, 64)
    assert speech["last"].shape == (2, 2, 64)
    assert speech["scales"].shape == (2, 2, 3, 64)
    assert face["last"].shape == (2, 3, 64)
    assert all(v.dtype == torch.float32 and not v.requires_grad for out in (visual, speech, face) for v in out.values())


@pytest.mark.parametrize("modality", ["visual", "speech", "face"])
def test_a_tower_stays_in_eval_mode_and_two_passes_are_equal(towers, modality, media):
    tower = towers[modality].train()
    assert not any(module.training for module in tower.modules())
    assert not any(parameter.requires_grad for parameter in tower.parameters())
    clip = media(2)[tower.media]
    first, second = tower(clip), tower(clip)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("modality", ["visual", "speech", "face"])
def test_features_of_a_sample_do_not_depend_on_its_neighbours(towers, modality, media):
    tower = towers[modality]
    clip = media(3)[tower.media]
    together, alone = tower(clip), tower(clip[1:2])
    for name in together:
        assert_close(together[name][1:2], alone[name], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("modality", ["visual", "speech", "face"])
def test_autocast_does_not_change_features(towers, modality, media):
    tower = towers[modality]
    clip = media(1)[tower.media]
    plain = tower(clip)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all(torch.equal(plain[name], value) for name, value in tower(clip).items())


def test_predict_step_names_features_for_the_store(towers, media):
    clip = media(2)["frames"]
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    batches = DataLoader([{"key": "a", "frames": clip[0]}, {"key": "b", "frames": clip[1]}], batch_size=2)
    (out,) = trainer.predict(towers["visual"], batches)
    assert out["key"] == ["a", "b"]
    assert out["features"].keys() == {"visual.last", "visual.scales"}
    assert torch.equal(out["features"]["visual.last"], towers["visual"](clip)["last"])


def test_speech_is_normalised_over_the_samples_own_clips(weights):
    clips = torch.randn(2, 3, 800) * torch.tensor([1.0, 5.0])[:, None, None] + 2
    sample = SpeechEncoder.from_pretrained(weights / tiny.NAMES["speech"]).waveform(clips)
    assert_close(sample.mean((1, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    assert_close(sample.flatten(1).std(1, unbiased=False), torch.ones(2))
    each = SpeechEncoder.from_pretrained(weights / tiny.NAMES["speech"], normalise="clip").waveform(clips)
    assert_close(each.std(2, unbiased=False), torch.ones(2, 3))


def test_released_pixels_are_raw(weights, media):
    frames = media(1)["frames"][0]
    released = FacialEncoder.from_pretrained(weights / tiny.NAMES["face"], pixels="released")
    assert torch.equal(released.preprocess(frames), frames.float())
    imagenet = FacialEncoder.from_pretrained(weights / tiny.NAMES["face"])
    assert imagenet.preprocess(frames).abs().max() < 3
    assert released.fingerprint() != imagenet.fingerprint()


def test_fingerprint_follows_weights_and_preprocessing_across_processes(weights, towers):
    where = weights / tiny.NAMES["visual"]
    program = (
        f"from nano_emox.encoders import VisualEncoder; print(VisualEncoder.from_pretrained({str(where)!r}).fingerprint())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert elsewhere.stdout.strip() == towers["visual"].fingerprint()
    assert VisualEncoder.from_pretrained(where, layers=[10, 16, 22]).fingerprint() != towers["visual"].fingerprint()
    changed = VisualEncoder.from_pretrained(where)
    changed.tower.post_layernorm.bias.data[0] += 1e-3
    assert changed.fingerprint() != towers["visual"].fingerprint()


def test_a_whole_clip_checkpoint_loads_without_its_text_tower(tmp_path, towers, media):
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig

    text = CLIPTextConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=9)
    whole = CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=tiny.VISUAL.to_dict(), projection_dim=8))
    whole.vision_model.load_state_dict(towers["visual"].tower.state_dict())
    tiny.write_visual(towers["visual"].tower, tmp_path)
    whole.save_pretrained(tmp_path / tiny.NAMES["visual"])
    loaded = VisualEncoder.from_pretrained(tmp_path / tiny.NAMES["visual"])
    frames = media(1)["frames"]
    assert torch.equal(loaded(frames)["last"], towers["visual"](frames)["last"])


def test_bfloat16_towers_give_float32_features(backbones, config, media):
    backbones = type(backbones)(**{**vars(backbones), "dtype": "bfloat16"})
    for tower in load_towers(backbones, config).values():
        assert tower.compute_dtype == torch.bfloat16
        assert all(v.dtype == torch.float32 for v in tower(media(1)[tower.media]).values())


def test_wrong_media_are_refused(towers):
    with pytest.raises(ValueError, match="uint8"):
        towers["visual"](torch.rand(1, 2, 3, 64, 64))
    with pytest.raises(ValueError, match=r"\(batch, clips, samples\)"):
        towers["speech"](torch.rand(1, 16000))
    with pytest.raises(ValueError, match="needs 1000"):
        towers["speech"](torch.rand(1, 2, 100))


def test_a_face_file_in_another_layout_is_refused(tmp_path, weights):
    path = tmp_path / "model.pt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=ENTRY):
        FacialEncoder.from_pretrained(tmp_path)
    content = torch.load(weights / tiny.NAMES["face"] / "model.pt", weights_only=True)
    del content[ENTRY]["linear_c.2.proj.bias"]
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"linear_c\.2\.proj\.bias"):
        FacialEncoder.from_pretrained(tmp_path)
