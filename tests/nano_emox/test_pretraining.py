"""The tiny backbones: written in the published layouts, and briefly taught what the synthetic world shows."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from nano_emox import tiny
from nano_emox.backbones import load_towers
from nano_emox.config import BackboneConfig, ModelConfig
from nano_emox.pretraining import ATTRIBUTES, Rendered, pretrain_tower, pretrain_towers

MODEL = ModelConfig(frame_size=64, clips=4, clip_seconds=1.0)


def test_a_batch_is_the_same_in_every_process_and_no_two_are():
    first, again = Rendered("face", 3, 4, seed=1)[2], Rendered("face", 9, 4, seed=1)[2]
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], Rendered("face", 3, 4, seed=1)[1][0])
    assert not torch.equal(first[0], Rendered("face", 3, 4, seed=2)[2][0])


@pytest.mark.parametrize("modality", ["visual", "speech", "face"])
def test_equal_seeds_make_equal_towers(modality):
    make = {"visual": tiny.new_visual, "speech": tiny.new_speech, "face": tiny.new_face}[modality]
    first, second, other = make(1).state_dict(), make(1).state_dict(), make(2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_pretrained_towers_load_back_with_equal_features(tmp_path, media):
    reports = pretrain_towers(tmp_path, steps=2, seed=0, workers=0, held_out=16)
    towers = load_towers(BackboneConfig(root=str(tmp_path), preset="tiny", dtype="float32"), MODEL)
    assert [report.modality for report in reports] == list(ATTRIBUTES)
    again, _ = pretrain_tower("face", 2, 2, workers=0, held_out=16)
    assert towers["face"].fingerprint() == again.fingerprint()
    frames = media(1)["frames"]
    assert_close(towers["face"](frames)["last"], again(frames)["last"], atol=0, rtol=0)
    assert not any(p.requires_grad for tower in towers.values() for p in tower.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "steps"), [("visual", 80), ("speech", 160), ("face", 80)])
def test_a_tower_learns_what_it_is_shown_in_every_layer_it_exports(modality, steps):
    _, report = pretrain_tower(modality, steps, 0)
    assert all(max(scores.values()) > 0.3 for scores in report.scores.values())
