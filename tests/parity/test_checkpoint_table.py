"""Every name that the released training saves is mapped or has a reason; whatever does not fit is listed, all at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, Qwen2Config

from nano_emox.backbones import PAPER, build_skeleton, load_language
from nano_emox.batch import Batch
from nano_emox.checkpoints import UNTRAINED_FACE, import_released, learned_names, reason_unneeded, released_name
from nano_emox.config import BackboneConfig, ModelConfig
from nano_emox.model import NanoEmoX
from nano_emox.pretrained import from_pretrained, read_state, save_pretrained, write_folder
from nano_emox.prompts import SLOT_IDS

PHASES = {"phase1_1": "phase1_speech", "phase1_2": "phase1_visual", "phase2": "phase2", "phase3": "phase3"}
PUBLISHED = BackboneConfig(root="nowhere")  # nothing lies there: the published sizes
WIDTHS = {"visual": 1024, "speech": 1024, "face": 256}


@pytest.fixture(scope="module")
def skeleton() -> NanoEmoX:
    return build_skeleton(PUBLISHED, ModelConfig())


@pytest.fixture
def scratch(tmp_path) -> Iterator[Path]:
    """Gigabytes, removed at once: pytest itself keeps the directories of its last runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def saved(mapping: dict, phase: str) -> dict[str, Tensor]:
    """A checkpoint of that phase: the listed names, shapes and types with random values."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for row in mapping["rows"]:
        if row["saved"][phase]:
            dtype = getattr(torch, row["dtype"])
            values = torch.zeros(row["shape"], dtype=dtype)
            if row["kind"] == "parameter":
                values = torch.randn(row["shape"], generator=generator).mul_(0.02).to(dtype)
            state[row["name"]] = values
    return state


def write(state: dict[str, Tensor], path: Path) -> Path:
    torch.save({"model": state, "optimizer": {}, "config": {}, "scaler": None, "epoch": 0}, path)
    return path


def test_every_name_is_mapped_or_has_a_reason(released_checkpoint_map, skeleton):
    own = dict(skeleton.named_parameters())
    mapped = {released_name(name): own[name] for name in learned_names(own)}
    assert None not in mapped
    for row in released_checkpoint_map.described["rows"]:
        name = row["name"]
        assert (name in mapped) != (reason_unneeded(name) is not None), name
        if name in mapped:
            assert list(mapped.pop(name).shape) == row["shape"], name
    assert not mapped


@pytest.mark.parametrize("phase", PHASES)
def test_a_full_size_checkpoint_of_each_phase_is_imported_exported_and_read_back(
    released_checkpoint_map, skeleton, phase, scratch
):
    mapping = released_checkpoint_map.described
    state = {k: v for k, v in saved(mapping, phase).items() if "lm_head" not in k}  # half a gigabyte of nothing new
    imported = import_released(write(state, scratch / "released.pth"), skeleton)
    assert imported.phase == PHASES[phase]
    assert len(imported.state) + len(imported.unneeded) == mapping["totals"][phase]["saved_tensors"] - 1
    assert (UNTRAINED_FACE in imported.unneeded.values()) == (phase == "phase1_1")
    for name, value in imported.state.items():
        assert torch.equal(value, state[released_name(name)])
    folder = write_folder(imported.state, scratch / "out", ModelConfig(), PUBLISHED, about={"phase": imported.phase})
    back = read_state(folder)
    assert back.keys() == imported.state.keys()
    assert all(torch.equal(back[name], value) for name, value in imported.state.items())


def test_whatever_does_not_fit_is_listed(released_checkpoint_map, skeleton, tmp_path):
    state = {k: v for k, v in saved(released_checkpoint_map.described, "phase1_2").items() if "lm_head" not in k}
    del state["video_proj.bias"]
    state["video_proj.weight"] = torch.zeros(8, 768)
    state["video_proj.scale"] = torch.zeros(3)
    with pytest.raises(ValueError, match="3 places") as caught:
        import_released(write(state, tmp_path / "released.pth"), skeleton)
    said = str(caught.value)
    assert "missing: video_proj.bias (our visual_adapter.projection.bias)" in said
    assert "unknown: video_proj.scale (3,)" in said
    assert "shape: video_proj.weight is (8, 768), ours visual_adapter.projection.weight is (1536, 768)" in said


def test_other_files_are_refused(skeleton, tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "lightning.ckpt")
    with pytest.raises(ValueError, match="no entry 'model'"):
        import_released(tmp_path / "lightning.ckpt", skeleton)
    with pytest.raises(ValueError, match="no phase writes such a file"):
        import_released(write({"encoder.weight": torch.zeros(1)}, tmp_path / "other.pth"), skeleton)


def test_our_own_extras_have_no_counterpart(tmp_path, released_checkpoint_map):
    """A face position table would stay untrained, so it is an error, not a silent random layer."""
    config = ModelConfig()
    config.face.positions = True
    state = {k: v for k, v in saved(released_checkpoint_map.described, "phase1_2").items() if "lm_head" not in k}
    with pytest.raises(ValueError, match=r"no counterpart there: facial_adapter\.positions\.weight"):
        import_released(write(state, tmp_path / "released.pth"), build_skeleton(PUBLISHED, config))


def write_language(directory: Path, config: Qwen2Config) -> Tensor:
    """The published layout of Qwen2.5-1.5B-Instruct with random weights; returns its embeddings."""
    config.save_pretrained(directory)
    (directory / "tokenizer_config.json").write_text("{}")
    with torch.device("meta"):
        shapes = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).state_dict()
    noise = torch.randn(1 << 22, generator=torch.Generator().manual_seed(1)).mul_(0.02).bfloat16()
    state = {}
    for name, value in shapes.items():
        if name != "lm_head.weight":  # tied, so not in the file
            repeated = noise.repeat(value.numel() // len(noise) + 1)[: value.numel()].view(value.shape).clone()
            state[name] = repeated + 1 if "norm" in name else repeated
    save_file(state, directory / "model.safetensors", {"format": "pt"})
    return state["model.embed_tokens.weight"]


@pytest.mark.slow
def test_full_size_forward_is_bit_equal_after_import_export_and_reload(released_checkpoint_map, scratch):
    """1.5 billion random parameters in the published layout under a released checkpoint with its 0.47 GB head."""
    if shutil.disk_usage(scratch).free < 10e9 or _free_memory() < 12e9:
        pytest.skip("needs 10 GB of disk and 12 GB of memory")
    embeddings = write_language(scratch / "Qwen2.5-1.5B-Instruct", PAPER["language"])
    state = saved(released_checkpoint_map.described, "phase3")
    state["llama_model.base_model.model.lm_head.weight"] = embeddings.half()
    path = write(state, scratch / "checkpoint_000060_loss_0.285.pth")
    del state, embeddings
    backbones, config = BackboneConfig(root=str(scratch)), ModelConfig()
    model = NanoEmoX(config, load_language(backbones, config), WIDTHS).eval()
    imported = import_released(path, model)
    assert imported.head_difference is not None
    assert imported.head_difference < 1e-7  # of float16's smallest steps
    model.init_from(imported.state, str(path))
    batch = _batch()
    with torch.inference_mode():
        before = model.language.logits(model.language.supervised(batch, model.embed(batch).tokens)[0])
    save_pretrained(model, scratch / "exported", config, backbones)
    del model, imported
    again = from_pretrained(scratch / "exported").model
    with torch.inference_mode():
        after = again.language.logits(again.language.supervised(batch, again.embed(batch).tokens)[0])
    assert bool(before.isfinite().all())
    assert torch.equal(before, after)


def _batch() -> Batch:
    """One row with all four blocks and stored features of the published widths."""
    generator = torch.Generator().manual_seed(2)
    counts = ModelConfig().tokens
    prompt = [slot for name, slot in SLOT_IDS.items() for _ in range(counts[name])]
    ids = torch.tensor([[5, *prompt, 7, 8, 9, 10]])
    labels = torch.full_like(ids, -100)
    labels[:, -3:] = ids[:, -3:]
    shapes = {
        "visual.last": (1, 8, 1024), "speech.last": (1, 8, 1024), "face.last": (1, 8, 256), "fusion.visual": (1, 8, 3, 1024),
        "fusion.speech": (1, 8, 3, 1024),
    }  # fmt: skip
    features = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return Batch(ids, torch.ones_like(ids), labels, features, {name: torch.tensor([True]) for name in SLOT_IDS})


def _free_memory() -> float:
    described = Path("/proc/meminfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), float("inf"))
