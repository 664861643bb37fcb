"""Tiny towers and a tiny language model in the layouts of the published checkpoints.

Real architectures with 24 layers, so that the paper's layer indices keep their meaning, but 64 wide and for 64 pixels. After
they are written, nothing else knows that they are tiny: they load through the same `from_pretrained` as the paper's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    HubertConfig,
    HubertModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from nano_emox.encoders.facial import ENTRY, STAGES, FaceNetwork
from nano_emox.encoders.visual import CLIP_MEAN, CLIP_STD

PIXELS = 64
NAMES = {
    "visual": "clip-vit-large-patch14",
    "speech": "chinese-hubert-large",
    "face": "facexformer",
    "language": "Qwen2.5-1.5B-Instruct",
}
VISUAL = CLIPVisionConfig(
    hidden_size=64, intermediate_size=128, num_hidden_layers=24, num_attention_heads=4, image_size=PIXELS, patch_size=16
)
SPEECH = HubertConfig(
    hidden_size=64, intermediate_size=128, num_hidden_layers=24, num_attention_heads=4, conv_dim=(64, 64),
    conv_kernel=(400, 16), conv_stride=(40, 8), conv_bias=True, feat_extract_norm="layer", do_stable_layer_norm=True,
    num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, hidden_dropout=0.0, attention_dropout=0.0,
    activation_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0, mask_time_prob=0.0, mask_feature_prob=0.0,
)  # fmt: skip
FACE: dict[str, Any] = {"embed": 16, "depths": (1, 1, 2, 1), "heads": (1, 2, 4, 8), "window": 4, "patch": 4, "width": 64}
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def new_visual(seed: int) -> CLIPVisionModel:
    """A randomly initialised vision tower; equal for equal seeds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPVisionModel(VISUAL)


def new_speech(seed: int) -> HubertModel:
    """A randomly initialised speech tower whose first two convolutions start as band-pass filters and their envelopes.

    HuBERT's stack of seven short convolutions takes long to find pitch in a waveform; two longer ones, with the same total
    stride of 320 samples, start from what an ear does.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = HubertModel(SPEECH)
        first, second = (layer.conv for layer in tower.feature_extractor.conv_layers)
        first.weight.data.copy_(band_passes(*first.weight.shape[::2]))
        first.bias.data.uniform_(-0.1, 0.1)  # tells silence from sound after the layer norm
        second.weight.data.mul_(0.1).add_(torch.eye(second.out_channels)[..., None] / second.kernel_size[0])
        for layer in tower.encoder.layers:
            _scale(layer.attention, layer.feed_forward)
            _residual(layer.attention.out_proj, layer.feed_forward.output_dense, depth=SPEECH.num_hidden_layers)
        return tower


def band_passes(filters: int, size: int) -> Tensor:
    """Windowed cosines, log-spaced from 80 to 6,000 Hz at a rate of 16 kHz, (filters, 1, size)."""
    hertz = torch.logspace(math.log10(80), math.log10(6000), filters)[:, None]
    time = (torch.arange(size) - size / 2) / 16000
    width = (6.0 / hertz).clamp(max=size / 16000)  # seconds: six periods, if the filter has room for them
    window = torch.where(time.abs() < width / 2, torch.cos(math.pi * time / width) ** 2, 0.0)
    waves = window * torch.cos(2 * math.pi * hertz * time + 2 * math.pi * torch.rand(filters, 1))
    return (waves / waves.norm(dim=1, keepdim=True))[:, None]


def new_face(seed: int) -> FaceNetwork:
    """A randomly initialised face tower."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FaceNetwork(**FACE)
        _scale(network.backbone)
        for stage in STAGES:
            for block in network.backbone[0][stage]:
                _residual(block.attn.proj, block.mlp[3], depth=sum(FACE["depths"]))
        return network


def new_language(tokenizer: PreTrainedTokenizerFast, seed: int, *, hidden: int = 128, layers: int = 4) -> Qwen2ForCausalLM:
    """A randomly initialised Qwen2 for this tokenizer's vocabulary."""
    ids = [int(tokenizer.vocab[token]) for token in SPECIAL]
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
        bos_token_id=ids[0], eos_token_id=ids[2], pad_token_id=ids[0],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(config)


def train_tokenizer(lines: Iterable[str], vocabulary: int = 2048) -> PreTrainedTokenizerFast:
    """Byte-level BPE with Qwen's special tokens, word boundaries and ChatML template; any Unicode text round-trips."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*lines, "system\nuser\nassistant\n"], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=SPECIAL[2], pad_token=SPECIAL[0], additional_special_tokens=[SPECIAL[1]],
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    fast.chat_template = CHAT
    return fast


def write_visual(tower: CLIPVisionModel, root: str | Path) -> Path:
    """Write `<root>/clip-vit-large-patch14/`."""
    directory = _directory(root, "visual")
    tower.save_pretrained(directory)
    size = tower.config.image_size
    processor = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": size, "do_center_crop": True,
        "crop_size": size, "resample": 3, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
    }  # fmt: skip
    _write_json(directory / "preprocessor_config.json", processor)
    return directory


def write_speech(tower: HubertModel, root: str | Path) -> Path:
    """Write `<root>/chinese-hubert-large/`."""
    directory = _directory(root, "speech")
    tower.save_pretrained(directory)
    extractor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000, "padding_value": 0,
        "padding_side": "right", "do_normalize": True, "return_attention_mask": True,
    }  # fmt: skip
    _write_json(directory / "preprocessor_config.json", extractor)
    return directory


def write_face(tower: FaceNetwork, root: str | Path) -> Path:
    """Write `<root>/facexformer/`: `model.pt` in the published layout, and `config.json` with the image size."""
    directory = _directory(root, "face")
    torch.save({ENTRY: {k: v.detach().cpu().contiguous() for k, v in tower.state_dict().items()}}, directory / "model.pt")
    _write_json(directory / "config.json", {"image_size": PIXELS})
    return directory


def write_language(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, root: str | Path) -> Path:
    """Write `<root>/Qwen2.5-1.5B-Instruct/`."""
    directory = _directory(root, "language")
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def save_tiny(root: str | Path, seed: int, lines: Iterable[str], vocabulary: int = 2048) -> None:
    """Write all four, randomly initialised; the tokenizer is trained on `lines`."""
    write_visual(new_visual(seed), root)
    write_speech(new_speech(seed + 1), root)
    write_face(new_face(seed + 2), root)
    tokenizer = train_tokenizer(lines, vocabulary)
    write_language(new_language(tokenizer, seed + 3), tokenizer, root)


def _scale(*parts: nn.Module) -> None:
    """Weights of variance 1 / fan-in: the published 0.02 is far too small for layers this narrow."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)


def _residual(*layers: nn.Module, depth: int) -> None:
    """Scale the outputs of residual branches down, so that a deep stack starts close to the identity."""
    for layer in layers:
        assert isinstance(layer, nn.Linear)
        layer.weight.data.mul_((2 * depth) ** -0.5)


def _directory(root: str | Path, modality: str) -> Path:
    directory = Path(root) / NAMES[modality]
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
