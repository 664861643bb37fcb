"""The towers and the language model by directory, and the paper's sizes for counting without any weights.

`tiny` and `paper` differ only in what lies in the directories: both load here, through the same calls. The paper's own
sizes are also written down as configurations, so that parameters can be counted on the meta device.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    HubertConfig,
    HubertModel,
    PreTrainedTokenizerBase,
    Qwen2Config,
)

from nano_emox import tiny
from nano_emox.config import BackboneConfig, ModelConfig
from nano_emox.encoders import FacialEncoder, FrozenEncoder, SpeechEncoder, VisualEncoder
from nano_emox.encoders.facial import FaceNetwork, published_file
from nano_emox.hub import locate
from nano_emox.language import LanguageHead
from nano_emox.model import NanoEmoX, parameters_of

PAPER: dict[str, Any] = {
    "visual": CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=224, patch_size=14
    ),
    "speech": HubertConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, conv_bias=True,
        feat_extract_norm="layer", do_stable_layer_norm=True,
    ),
    "face": {},  # FaceNetwork's defaults are FaceXFormer's sizes
    "language": Qwen2Config(
        vocab_size=151936, hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12,
        num_key_value_heads=2, max_position_embeddings=32768, tie_word_embeddings=True, eos_token_id=151645,
        pad_token_id=151643,
    ),
}  # fmt: skip
TINY: dict[str, Any] = {
    "visual": tiny.VISUAL,
    "speech": tiny.SPEECH,
    "face": tiny.FACE,
    "language": Qwen2Config(
        vocab_size=2048, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True,
    ),
}  # fmt: skip
TOWERS = ("visual", "speech", "face")


def load_towers(config: BackboneConfig, model: ModelConfig, modalities: Collection[str] = TOWERS) -> dict[str, FrozenEncoder]:
    """The frozen towers by modality (`visual`, `speech`, `face`).

    Raises:
        FileNotFoundError: see `locate`.
    """
    where, dtype = locate(config, modalities), dtype_of(config.dtype)
    towers: dict[str, FrozenEncoder] = {}
    if "visual" in where:
        towers["visual"] = VisualEncoder.from_pretrained(
            where["visual"], layers=model.visual_layers, dtype=dtype, resize=model.visual_resize
        )
    if "speech" in where:
        towers["speech"] = SpeechEncoder.from_pretrained(
            where["speech"], layers=model.speech_layers, dtype=dtype, normalise=model.speech_normalise,
            centre=model.clip_mean == "remove",
        )  # fmt: skip
    if "face" in where:
        towers["face"] = FacialEncoder.from_pretrained(where["face"], dtype=dtype, pixels=model.face_pixels)
    return towers


def load_language(config: BackboneConfig, model: ModelConfig, *, lora: bool = True) -> LanguageHead:
    """The language model, under LoRA or bare."""
    return LanguageHead.from_pretrained(
        locate(config, ["language"])["language"],
        dtype=dtype_of(config.dtype),
        lora_rank=model.lora.rank if lora else 0,
        lora_alpha=model.lora.alpha,
        lora_dropout=model.lora.dropout,
        gradient_checkpointing=model.gradient_checkpointing,
        attention=config.attention,
        packing=model.packing,
        shared_prefix=model.shared_prefix,
    )


def load_tokenizer(config: BackboneConfig) -> PreTrainedTokenizerBase:
    """The language model's tokenizer."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(locate(config, ["language"])["language"])
    return tokenizer


def feature_widths(config: BackboneConfig) -> dict[str, int]:
    """Feature dimension per modality, read from the checkpoints without loading the towers."""
    where = locate(config, TOWERS)
    widths = {}
    for modality in ("visual", "speech"):
        described = AutoConfig.from_pretrained(where[modality])
        widths[modality] = int(getattr(described, "vision_config", described).hidden_size)
    content = torch.load(published_file(where["face"]), map_location="meta", weights_only=True, mmap=True)
    return widths | {"face": int(content["state_dict_backbone"]["linear_fuse.weight"].shape[0])}


def load_model(config: BackboneConfig, model: ModelConfig, *, online: bool = False) -> NanoEmoX:
    """The whole model; with `online`, the towers are attached and batches may carry media."""
    whole = NanoEmoX(model, load_language(config, model), feature_widths(config))
    if online:  # after the adapters have drawn their weights, which must not depend on it
        for modality, tower in load_towers(config, model).items():
            whole.attach(modality, tower)
    return whole


def build_skeleton(config: BackboneConfig, model: ModelConfig) -> NanoEmoX:
    """The model without towers on the meta device: its names and shapes, for the price of no weights.

    Sizes are those of the checkpoints under `config`; where the paper's are not there, the published sizes.
    """
    try:
        widths, described = feature_widths(config), AutoConfig.from_pretrained(locate(config, ["language"])["language"])
    except FileNotFoundError:
        if config.preset == "tiny":
            raise
        widths, described = {"visual": 1024, "speech": 1024, "face": 256}, PAPER["language"]
    with torch.device("meta"):
        return NanoEmoX(model, _head(AutoModelForCausalLM.from_config(described), model), widths)


def build_random(preset: str, model: ModelConfig | None = None, dtype: torch.dtype = torch.bfloat16) -> NanoEmoX:
    """The whole model at full size with random weights: for counting (under `torch.device("meta")`) and timing."""
    return build_shapes({"paper": PAPER, "tiny": TINY}[preset], model or ModelConfig(), dtype)


def build_shapes(shapes: Mapping[str, Any], model: ModelConfig, dtype: torch.dtype) -> NanoEmoX:
    """A model with towers and random weights from configurations in the form of `PAPER`."""
    previous = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)  # never holds a float32 copy
        towers: dict[str, FrozenEncoder] = {
            "visual": VisualEncoder(
                CLIPVisionModel(shapes["visual"]), layers=model.visual_layers, size=shapes["visual"].image_size
            ),
            "speech": SpeechEncoder(HubertModel(shapes["speech"]), layers=model.speech_layers),
            "face": FacialEncoder(FaceNetwork(**shapes["face"]), size=shapes["visual"].image_size),
        }
        causal = AutoModelForCausalLM.from_config(shapes["language"], dtype=dtype)
    finally:
        torch.set_default_dtype(previous)
    return NanoEmoX(model, _head(causal, model), {modality: tower.width for modality, tower in towers.items()}, towers)


def _head(causal: Any, model: ModelConfig) -> LanguageHead:
    return LanguageHead(
        causal,
        lora_rank=model.lora.rank,
        lora_alpha=model.lora.alpha,
        lora_dropout=model.lora.dropout,
        gradient_checkpointing=model.gradient_checkpointing,
        packing=model.packing,
        shared_prefix=model.shared_prefix,
    )


def parameter_table(preset: str, model: ModelConfig | None = None) -> dict[str, int]:
    """Parameters per part, `total`, and `lora`; nothing is allocated."""
    with torch.device("meta"):
        whole = build_random(preset, model)
    table = {name: parameters_of(part) for name, part in whole.named_children()}
    lora = sum(p.numel() for name, p in whole.language.named_parameters() if "lora_" in name)
    return {**table, "total": parameters_of(whole), "lora": lora}


def dtype_of(name: str) -> torch.dtype:
    """`float32`, `bfloat16` or `float16` by name."""
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise ValueError(f"backbones.dtype: {name!r}; choose {', '.join(known)}")
    return known[name]
