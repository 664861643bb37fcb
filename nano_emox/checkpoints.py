"""The authors' trained parameters (`checkpoint_*.pth`) as ours, by a table that names every key.

Their file holds what trained, all buffers, and the tied head of the language model. Nothing in it is left aside without a
reason, and nothing of ours stays at random without an error: their own loading is not strict, so a renamed layer there is
silently untrained.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nano_emox.model import NanoEmoX

HEAD = "llama_model.base_model.model.lm_head.weight"
_LORA = r"(model\.layers\.\d+\.(?:self_attn|mlp)\.\w+_proj\.lora_[AB]\.default\.weight)"
_WEIGHT = r"(weight|bias)"

# Our name (a pattern) -> the released name. The first row that matches a whole name is the one that counts.
TABLE: tuple[tuple[str, str], ...] = (
    (r"visual_adapter\.queries", "video_query_tokens"),
    (r"visual_adapter\.positions\.weight", "video_frame_position_embedding.weight"),
    (rf"visual_adapter\.projection\.{_WEIGHT}", r"video_proj.\1"),
    (rf"visual_adapter\.qformer\.layernorm\.{_WEIGHT}", r"video_Qformer.bert.embeddings.LayerNorm.\1"),
    (r"visual_adapter\.qformer\.encoder\.layer\.(\d+)\.(attention|crossattention)\.attention\.(.+)",
     r"video_Qformer.bert.encoder.layer.\1.\2.self.\3"),
    (r"visual_adapter\.qformer\.encoder\.layer\.(\d+)\.(.+)", r"video_Qformer.bert.encoder.layer.\1.\2"),
    (r"speech_adapter\.queries", "audio_query_tokens"),
    (r"speech_adapter\.positions\.weight", "audio_position_embedding.weight"),
    (rf"speech_adapter\.projection\.{_WEIGHT}", r"audio_llama_proj.\1"),
    (rf"speech_adapter\.qformer\.layernorm\.{_WEIGHT}", r"audio_Qformer.bert.embeddings.LayerNorm.\1"),
    (r"speech_adapter\.qformer\.encoder\.layer\.(\d+)\.(attention|crossattention)\.attention\.(.+)",
     r"audio_Qformer.bert.encoder.layer.\1.\2.self.\3"),
    (r"speech_adapter\.qformer\.encoder\.layer\.(\d+)\.(.+)", r"audio_Qformer.bert.encoder.layer.\1.\2"),
    (r"facial_adapter\.queries", "facial_encoder.query"),
    (r"facial_adapter\.attention\.(.+)", r"facial_encoder.attn.\1"),
    (rf"facial_adapter\.projection\.([03])\.{_WEIGHT}", r"facial_encoder.face_proj.\1.\2"),
    (rf"fusion\.projection\.{_WEIGHT}", r"multi_llama_proj.\1"),
    (rf"fusion\.speech_projection\.{_WEIGHT}", r"multi_multiscale_fusion.audio_proj.\1"),
    (rf"fusion\.visual_projection\.{_WEIGHT}", r"multi_multiscale_fusion.visual_proj.\1"),
    (r"fusion\.experts\.(\d+)\.attention\.(.+)", r"multi_multiscale_fusion.cross_attns.\1.\2"),
    (rf"fusion\.experts\.(\d+)\.feed_forward\.([014])\.{_WEIGHT}", r"multi_multiscale_fusion.ffns.\1.\2.\3"),
    (rf"fusion\.gate\.network\.([03])\.{_WEIGHT}", r"multi_multiscale_fusion.gate_mlp.\1.\2"),
    (rf"language\.model\.{_LORA}", r"llama_model.base_model.model.\1"),
)  # fmt: skip

# A released name (a pattern) -> why it is not needed.
UNNEEDED: tuple[tuple[str, str], ...] = (
    (re.escape(HEAD), "frozen and tied to the language model's own embeddings; only compared with them"),
    (rf"image_llama_proj\.{_WEIGHT}", "projects single images; trainable in every phase, used in none"),
    (rf"multi_(audio|video)_embs\.{_WEIGHT}", "of another type of fusion; trainable in every phase, used in none"),
    (r"(video|audio)_Qformer\.bert\.embeddings\.position_ids", "an unused buffer"),
    (rf"facial_encoder\.lynorm\.{_WEIGHT}", "saved in every phase, never applied"),
    (r"facial_encoder\.facexformer\.backbone\.[\d.]+\.attn\.relative_position_index", "a buffer that the window size decides"),
)
UNTRAINED_FACE = "the speech branch of phase 1 saves the facial queries untrained; the visual branch's file has them"

# What a phase has trained, and the released module that only its files (and later ones) hold.
PARTS: Mapping[str, tuple[str, ...]] = {
    "phase1_speech": ("speech_adapter.",),
    "phase1_visual": ("visual_adapter.", "facial_adapter."),
    "phase2": ("speech_adapter.", "visual_adapter.", "facial_adapter.", "fusion."),
    "phase3": ("speech_adapter.", "visual_adapter.", "facial_adapter.", "fusion.", "language."),
}
_SIGNS = (("phase3", ".lora_A."), ("phase2", "multi_multiscale_fusion."), ("phase1_visual", "video_proj."), ("phase1_speech", "audio_"))  # fmt: skip


class Imported(NamedTuple):
    """Released parameters under our names.

    Attributes:
        state: for `NanoEmoX.init_from`.
        phase: which of our phases wrote it, seen from what it holds.
        unneeded: released name -> why it is not needed.
        head_difference: largest difference between the file's language model head and our language model's (whose published
            form is bfloat16, theirs float16); None where there is nothing to compare.
    """

    state: dict[str, Tensor]
    phase: str
    unneeded: dict[str, str]
    head_difference: float | None


def released_name(own: str) -> str | None:
    """The released name of one of our parameters; None where they have none."""
    for pattern, name in TABLE:
        if found := re.fullmatch(pattern, own):
            return found.expand(name)
    return None


def reason_unneeded(released: str) -> str | None:
    """Why a released name is not needed; None where it is."""
    return next((reason for pattern, reason in UNNEEDED if re.fullmatch(pattern, released)), None)


def phase_of(released: Collection[str]) -> str:
    """Which phase wrote a file with these names.

    Raises:
        ValueError: none of the four.
    """
    for phase, sign in _SIGNS:
        if any(sign in name for name in released):
            return phase
    raise ValueError(f"no phase writes such a file; its keys begin with {sorted(released)[:4]}")


def learned_names(names: Iterable[str]) -> list[str]:
    """Of a model's parameter names, those that the curriculum trains: adapters, fusion, LoRA."""
    parts = PARTS["phase3"]
    return [name for name in names if name.startswith(parts) and ("lora_" in name or not name.startswith("language."))]


def import_released(path: str | Path, model: NanoEmoX) -> Imported:
    """Read a released checkpoint for `model`, which may lie on the meta device.

    Args:
        path: the authors' `.pth`; its entry `model` is read, with `weights_only=True`.
        model: decides which names and shapes are right.

    Raises:
        ValueError: listing every missing key, unknown key and shape mismatch, under the released names.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no released checkpoint {path}")
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, dict) or "model" not in content:
        raise ValueError(f"{path}: no entry 'model'; expected the authors' layout (model, optimizer, config, scaler, epoch)")
    return _match(content["model"], model, str(path))


def _match(released: Mapping[str, Tensor], model: NanoEmoX, where: str) -> Imported:
    own = dict(model.named_parameters())
    phase = phase_of(released)
    wanted, no_counterpart = {}, []
    for name in learned_names(own):
        theirs = released_name(name)
        if theirs is None:
            no_counterpart.append(name)
        elif name.startswith(PARTS[phase]):
            wanted[theirs] = name
    unneeded, unknown = {}, []
    for key in released:
        if key in wanted:
            continue
        if reason := reason_unneeded(key):
            unneeded[key] = reason
        elif phase == "phase1_speech" and key.startswith(("facial_encoder.query", "facial_encoder.attn.")):
            unneeded[key] = UNTRAINED_FACE
        else:
            unknown.append(key)
    problems = [f"ours has no counterpart there: {name}" for name in no_counterpart]
    problems += [f"unknown: {key} {tuple(released[key].shape)}" for key in unknown]
    for theirs, name in wanted.items():
        if theirs not in released:
            problems.append(f"missing: {theirs} (our {name})")
        elif released[theirs].shape != own[name].shape:
            shapes = f"{tuple(released[theirs].shape)}, ours {name} is {tuple(own[name].shape)}"
            problems.append(f"shape: {theirs} is {shapes}")
    if problems:
        raise ValueError(f"{where} ({phase}) does not fit this model in {len(problems)} places:\n  " + "\n  ".join(problems))
    state = {name: released[theirs] for theirs, name in wanted.items()}
    return Imported(state, phase, unneeded, _head_difference(released.get(HEAD), model))


def _head_difference(theirs: Tensor | None, model: NanoEmoX) -> float | None:
    ours = model.language.model.get_output_embeddings().weight
    if theirs is None or ours.is_meta or ours.shape != theirs.shape:
        return None
    rows = zip(theirs.split(16384), ours.detach().cpu().split(16384), strict=True)  # no float32 copy of the whole
    return max(float((a.float() - b.float()).abs().max()) for a, b in rows)
