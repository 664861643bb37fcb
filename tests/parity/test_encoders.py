"""CLIP and HuBERT feature selection and preprocessing, and where a recording's clips are cut."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close
from transformers import CLIPVisionConfig, CLIPVisionModel, HubertConfig, HubertModel

from data_modules.media import cut_clips
from nano_emox.encoders import SpeechEncoder, VisualEncoder


def build_clip(released) -> CLIPVisionModel:
    tower = CLIPVisionModel(CLIPVisionConfig(**released.config["vision_config"]))
    state = {key.split("vision_model.")[-1]: value for key, value in released.under("param.").items()}
    tower.load_state_dict({k: v for k, v in state.items() if not k.endswith("position_ids")})
    return tower


@pytest.mark.parametrize("resize", ["pil", "tensor"])
def test_visual_encoder(released_encoder_clip, resize):
    """With `resize="pil"` exactly, at any size; with the default within the documented grey level at other sizes."""
    released, c = released_encoder_clip, released_encoder_clip.config
    size = c["processor"]["size"]
    encoder = VisualEncoder(build_clip(released), layers=c["multi_layers"], size=size, resize=resize)
    frames = released.tensors["in.frames"].movedim(1, 2).to(torch.uint8)  # truncates, as released
    exact = resize == "pil" or frames.shape[-2:] == (size, size)

    pixels = encoder.pixels(frames.flatten(0, 1))
    atol = 1e-5 if exact else released.described["tolerance"]["pixel_values_atol"]
    assert_close(pixels, released.tensors["out.pixel_values"], atol=atol, rtol=0)
    if exact:
        out = encoder(frames)
        released.close(out["last"], "out.single")
        released.close(out["scales"].flatten(2), "out.multi")


@pytest.mark.parametrize(("normalise", "suffix"), [("sample", "alone"), ("batch", "batch")])
def test_speech_encoder(released_encoder_hubert, normalise, suffix):
    """Over a sample's own clips, as released inference; over the whole batch, as released training."""
    released = released_encoder_hubert
    tower = HubertModel(HubertConfig(**released.config))
    tower.load_state_dict({key.removeprefix("hubert."): value for key, value in released.under("param.").items()})
    encoder = SpeechEncoder(tower, layers=released.described["multi_layers"], normalise=normalise)
    clips = released.tensors["in.waveform"].flatten(2)

    released.close(encoder.waveform(clips).flatten(0, 1), f"out.input_values_{suffix}")
    out = encoder(clips)
    released.close(out["last"], f"out.single_{suffix}")
    released.close(out["scales"].flatten(2), f"out.multi_{suffix}")


def test_clips_start_where_the_released_ones_do(released_audio_clips):
    described = released_audio_clips.described
    for row in described["rows"]:
        recording = torch.arange(1, row["samples"] + 1, dtype=torch.float32)
        clips = cut_clips(recording, described["clips"], described["clip_seconds"], spread="released")
        assert (clips[:, 0] - 1).tolist() == row["starts"], row["samples"]
        assert (clips == 0).sum(1).tolist() == row["zero_tail"], row["samples"]


def test_the_mean_of_a_clip_can_be_taken_off(released_audio_clips):
    """The released data path removes each clip's own mean, and nothing else, before the joint normalisation."""
    recorded = released_audio_clips.described["in_place_mean_removal"]
    means = torch.tensor(recorded["mean_of_clips_before_transform_audio"])
    config = HubertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, conv_dim=[16] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    clips = torch.randn(1, len(means), 4000, generator=generator) * 0.1
    clips = clips - clips.mean(2, keepdim=True) + means[None, :, None]
    removing, keeping = (SpeechEncoder(HubertModel(config), layers=[1], last=1, centre=centre) for centre in (True, False))
    seen = removing.waveform(clips)
    assert_close(seen.mean(2), torch.zeros(1, len(means)), atol=1e-6, rtol=0)
    assert_close(seen, keeping.waveform(clips - clips.mean(2, keepdim=True)), atol=1e-5, rtol=0)
