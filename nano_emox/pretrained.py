"""Folders that hold a model: what was learned, and which published checkpoints it stands on.

    config.json            sizes, phase, parameters by part, data mixture, metrics, towers
    processor_config.json  how media and prompts are made
    model.safetensors      adapters and fusion encoder
    adapter/               LoRA in peft's format: `PeftModel.from_pretrained(language_model, "adapter")` reads it too
    language/              in its place, with `merge`: the language model with LoRA added in, a plain Hugging Face directory
    tokenizer files, README.md (the model card)

Nothing that was downloaded is copied, unless merged. Tensors keep their type, so a reloaded model answers bit for bit as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig as PeftConfig
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from nano_emox.backbones import feature_widths, load_language, load_towers
from nano_emox.config import BackboneConfig, FaceConfig, FusionConfig, LoraConfig, ModelConfig, QFormerConfig
from nano_emox.language import PROJECTIONS, LanguageHead
from nano_emox.model import NanoEmoX
from nano_emox.prompts import PromptTokenizer
from nano_emox.released_prompts import prompts_in

FORMAT = 1
PROCESSOR = (
    "frames", "frame_size", "clips", "clip_seconds", "prompt_style", "face_pixels", "visual_resize", "clip_spread", "clip_mean",
    "speech_normalise", "over_long", "max_length", "max_new_tokens",
)  # fmt: skip
_NESTED = {"qformer": QFormerConfig, "face": FaceConfig, "fusion": FusionConfig, "lora": LoraConfig}
_LANGUAGE, _PEFT = "language.model.", "base_model.model."


class Pretrained(NamedTuple):
    """A model from a folder, with what is needed to ask it; `prompts` is None where the folder has no tokenizer."""

    model: NanoEmoX
    prompts: PromptTokenizer | None
    config: ModelConfig
    backbones: BackboneConfig
    about: dict[str, Any]


def save_pretrained(
    model: NanoEmoX,
    directory: str | Path,
    config: ModelConfig,
    backbones: BackboneConfig,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    about: Mapping[str, Any] | None = None,
    merge: bool = False,
) -> Path:
    """Write a model's folder.

    Args:
        model: what it has learned or was given is written; a model on the meta device cannot be.
        about: `phase`, `data`, `metrics`, `modalities`, `source`: anything JSON that the card should say.
        merge: add LoRA into the language model and write that, whole, in place of the adapter.

    Raises:
        FileExistsError: the directory holds something.
        ValueError: nothing was learned.
    """
    if not model.learned:
        raise ValueError("this model has learned nothing yet: give it a checkpoint first (init_from)")
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    return write_folder(
        state, directory, config, backbones, language=model.language if merge else None, tokenizer=tokenizer,
        about={"widths": widths_of(model), **(about or {})},
    )  # fmt: skip


def write_folder(
    state: Mapping[str, Tensor],
    directory: str | Path,
    config: ModelConfig,
    backbones: BackboneConfig,
    *,
    language: LanguageHead | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    about: Mapping[str, Any],
) -> Path:
    """`save_pretrained` from a state alone, without the language model in memory; with `language`, merged."""
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; name another directory or remove it")
    directory.mkdir(parents=True, exist_ok=True)
    lora = {name: value for name, value in state.items() if "lora_" in name}
    save_file({n: v for n, v in state.items() if n not in lora}, directory / "model.safetensors", {"format": "pt"})
    if language is not None:
        merged_language(language).save_pretrained(directory / "language")
        if tokenizer is not None:
            tokenizer.save_pretrained(directory / "language")
    elif lora:
        _write_adapter(lora, directory / "adapter", config.lora, backbones)
    if tokenizer is not None:
        tokenizer.save_pretrained(directory)
    settings = asdict(config)
    processor = {name: settings.pop(name) for name in PROCESSOR}
    parts: dict[str, int] = {}
    for name, value in state.items():
        part = "language (LoRA)" if name in lora else name.split(".")[0]
        parts[part] = parts.get(part, 0) + value.numel()
    described = {
        "model_type": "nano-emox", "format": FORMAT, "merged": language is not None, "learned": parts, **about, "model": settings,
        "backbones": asdict(backbones),
    }  # fmt: skip
    _write_json(directory / "config.json", described)
    _write_json(directory / "processor_config.json", processor)
    return directory


def from_pretrained(
    directory: str | Path, *, root: str | None = None, online: bool = False, allow_download: bool = False
) -> Pretrained:
    """Load a folder on top of the published checkpoints that it names.

    Args:
        root: where those lie; the folder's own `backbones.root` otherwise.
        online: attach the towers, for batches that carry media.
        allow_download: fetch from the hub what is neither there nor in its cache.

    Raises:
        FileNotFoundError: the folder or a published checkpoint is incomplete; the message says what to get.
        ValueError: the folder's parameters do not fit its own configuration.
    """
    directory = Path(directory)
    about, config = read_folder(directory)
    backbones = BackboneConfig(**about["backbones"])
    backbones = replace(backbones, root=root or backbones.root, allow_download=allow_download)
    standing = replace(backbones, language=str((directory / "language").resolve())) if about["merged"] else backbones
    language = load_language(standing, config, lora=not about["merged"])
    if about["merged"]:
        language.requires_grad_(False)
    model = NanoEmoX(config, language, about.get("widths") or feature_widths(backbones))
    model.init_from(read_state(directory), str(directory))
    if online:
        for modality, tower in load_towers(backbones, config).items():
            model.attach(modality, tower)
    prompts = None
    if (directory / "tokenizer_config.json").is_file():
        prompts = prompts_in(config.prompt_style, AutoTokenizer.from_pretrained(directory), config.tokens)
    return Pretrained(model.eval(), prompts, config, backbones, about)


def read_folder(directory: str | Path) -> tuple[dict[str, Any], ModelConfig]:
    """What a folder says about itself, and its model's configuration.

    Raises:
        FileNotFoundError: it is no such folder.
        ValueError: it has another format, or settings that this version does not know.
    """
    directory = Path(directory)
    for name in ("config.json", "processor_config.json", "model.safetensors"):
        if not (directory / name).is_file():
            raise FileNotFoundError(f"no {name} in {directory}; `nano-emox export RUN --out DIR` writes such a folder")
    about = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    if about.get("model_type") != "nano-emox" or about.get("format") != FORMAT:
        raise ValueError(
            f"{directory}: format {about.get('format')} of {about.get('model_type')!r}; expected {FORMAT} of nano-emox"
        )
    settings = about["model"] | json.loads((directory / "processor_config.json").read_text(encoding="utf-8"))
    if unknown := sorted(set(settings) - {f.name for f in fields(ModelConfig)}):
        raise ValueError(f"{directory}: settings {unknown} are unknown to this version of nano-emox")
    return about, ModelConfig(**{k: _NESTED[k](**v) if k in _NESTED else v for k, v in settings.items()})


def read_state(directory: str | Path) -> dict[str, Tensor]:
    """A folder's parameters under the model's names."""
    directory = Path(directory)
    state = load_file(directory / "model.safetensors")
    adapter = directory / "adapter" / "adapter_model.safetensors"
    if adapter.is_file():
        for name, value in load_file(adapter).items():
            own = re.sub(r"\.(lora_[AB])\.weight$", r".\1.default.weight", name.removeprefix(_PEFT))
            state[_LANGUAGE + own] = value
    return state


def merged_language(language: LanguageHead) -> PreTrainedModel:
    """The language model with LoRA added into its weights, without any trace of it; the arithmetic is in float32."""
    wrapped = {name: module for name, module in language.model.named_modules() if isinstance(module, LoraLayer)}
    state = {}
    for name, value in language.model.state_dict().items():
        if ".lora_" in name:
            continue
        owner, based, rest = name.partition(".base_layer.")
        if based and rest == "weight":
            layer: Any = wrapped[owner]
            value = (value.float() + layer.get_delta_weight("default").float()).to(value.dtype)
        state[f"{owner}.{rest}" if based else name] = value.detach().cpu().clone()
    config: Any = language.model.config
    with torch.device("meta"):
        plain: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=language.model.dtype)
    plain.load_state_dict(state, assign=True)
    plain.tie_weights()
    plain.generation_config = language.model.generation_config
    return plain


def push_to_hub(directory: str | Path, repository: str, *, private: bool = True) -> str:
    """Upload a folder, when asked; returns its address."""
    from huggingface_hub import HfApi

    read_folder(directory)
    api = HfApi()
    address = str(api.create_repo(repository, private=private, exist_ok=True))
    api.upload_folder(repo_id=repository, folder_path=str(directory))
    return address


def _write_adapter(lora: Mapping[str, Tensor], directory: Path, config: LoraConfig, backbones: BackboneConfig) -> None:
    directory.mkdir()
    peft = PeftConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=list(PROJECTIONS),
        task_type="CAUSAL_LM", base_model_name_or_path=backbones.language,
    )  # fmt: skip
    peft.save_pretrained(str(directory))
    renamed = {_PEFT + name.removeprefix(_LANGUAGE).replace(".default.weight", ".weight"): v for name, v in lora.items()}
    save_file(renamed, directory / "adapter_model.safetensors", {"format": "pt"})


def widths_of(model: NanoEmoX) -> dict[str, int]:
    """Feature dimension per modality, as its adapters take them."""
    return {
        "visual": model.visual_adapter.positions.embedding_dim, "speech": model.speech_adapter.positions.embedding_dim,
        "face": model.facial_adapter.queries.shape[-1],
    }  # fmt: skip


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
