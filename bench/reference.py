"""The released code's work, written from its description: nothing is stored, skipped, shared or batched that it does not.

- Of every item the loader also makes an augmented copy of its frames and mel spectrograms of its sound, which no tower reads.
- All towers of a phase run in every step, pictures through PIL; the face's four maps are fused at full resolution.
- Rows are padded to the longest, and the vocabulary is computed at every position, in float32 for the loss.
- LoRA's arithmetic, and its dropout, take part while it is frozen; decoder and LoRA compute as transformers and peft do.
- Benchmarks are answered sample by sample, with a KV cache.

Numbers are those of our path: same weights, same rows, same loss (`training.check`, tests/bench).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from PIL import Image
from torch import Tensor, nn
from torch.optim import AdamW
from torchaudio.compliance.kaldi import fbank
from torchvision import transforms

from data_modules.record import Item
from nano_emox.batch import pad
from nano_emox.encoders.facial import FaceNetwork
from nano_emox.fused import fuse
from nano_emox.model import NanoEmoX
from nano_emox.prompts import SLOT_IDS, PromptTokenizer
from nano_emox.tasks import answer


class ReferencePath:
    """Training steps and answers as the released code makes them.

    Args:
        model: with its towers; shared with our path.
        prompts: of its language model.
        modalities: of the phase.
    """

    def __init__(self, model: NanoEmoX, prompts: PromptTokenizer, modalities: Sequence[str]) -> None:
        self.model, self.prompts, self.modalities = model, prompts, set(modalities)
        self.device = next(model.language.parameters()).device
        visual: Any = model.visual_encoder
        self.process = transforms.Compose(
            [
                transforms.Resize(visual.size, transforms.InterpolationMode.BICUBIC),
                transforms.CenterCrop(visual.size),
                transforms.ToTensor(),
                transforms.Normalize(visual.mean, visual.std),
            ]
        )

    def optimizer(self) -> AdamW:
        """AdamW with torch's defaults over what trains."""
        return AdamW([p for p in self.model.parameters() if p.requires_grad], lr=1e-6, weight_decay=0.05)

    def prepare(self) -> None:
        """LoRA takes part, whether it trains or not; decoder and LoRA are transformers' and peft's own. What trains stays as it is."""
        fuse(self.model, False)
        trains = {name: parameter.requires_grad for name, parameter in self.model.language.named_parameters()}
        for module in self.model.language.modules():
            if isinstance(module, BaseTunerLayer):
                module.enable_adapters(True)
        for name, parameter in self.model.language.named_parameters():
            parameter.requires_grad_(trains[name])

    def step(self, items: Sequence[Item], optimizer: AdamW) -> Tensor:
        """One optimizer step; returns the loss."""
        nn.Module.train(self.model.language.model)  # LoRA's dropout runs, though it is frozen in phases 1 and 2
        loss = self.loss(items)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def loss(self, items: Sequence[Item]) -> Tensor:
        """Mean cross entropy over the supervised tokens, from logits of all positions."""
        rows = [(self._prompt(item), self.prompts.answer_ids(answer(item.sample, item.task))) for item in items]
        ids, labels, mask = (value.to(self.device) for value in pad(rows, self.prompts.pad_id))
        with autocast(self.device):
            embedded = self._embed(ids, items)
            output: Any = self.model.language.model(
                inputs_embeds=embedded, attention_mask=mask.long(), labels=labels, use_cache=False
            )
        loss: Tensor = output.loss
        return loss

    @torch.inference_mode()
    def answer(self, item: Item, max_new_tokens: int) -> list[int]:
        """Ids of the answer to one sample, greedily."""
        ids = torch.tensor([self._prompt(item)], device=self.device)
        with autocast(self.device):
            embedded = self._embed(ids, [item])
            language: Any = self.model.language.model
            said = language.generate(
                inputs_embeds=embedded, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=max_new_tokens,
                eos_token_id=self.prompts.end_of_turn, pad_token_id=self.prompts.pad_id,
            )  # fmt: skip
        return [int(token) for token in said[0]]

    def features(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """All features of a batch, from media, as float32; names as in `Batch.features`."""
        features: dict[str, Tensor] = {}
        sees = self.modalities & {"visual", "face", "fusion"}
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            if sees:
                frames = torch.stack([item.inputs["frames"] for item in items]).to(self.device)
                features |= self._visual(frames) | (self._face(frames) if "face" in self.modalities else {})
            if self.modalities & {"speech", "fusion"}:
                encoded = self.model.encoders["speech"].encode(torch.stack([i.inputs["clips"] for i in items]).to(self.device))
                features |= {"speech.last": encoded["last"].float(), "fusion.speech": encoded["scales"].float()}
        return features

    def _prompt(self, item: Item) -> list[int]:
        blocks = [name for name in SLOT_IDS if name in self.modalities]
        segments = self.prompts.compose(item.sample, item.task, blocks, text="text" in self.modalities, drop_turns=0)
        return self.prompts.prompt_ids(segments)

    def _embed(self, ids: Tensor, items: Sequence[Item]) -> Tensor:
        features = self.features(items)
        adapters = {"visual": self.model.visual_adapter, "speech": self.model.speech_adapter, "face": self.model.facial_adapter}
        tokens = {name: adapter(features[f"{name}.last"]) for name, adapter in adapters.items() if name in self.modalities}
        if "fusion" in self.modalities:
            tokens["fusion"] = self.model.fusion(features["fusion.speech"], features["fusion.visual"]).tokens
        every = torch.ones(len(items), dtype=torch.bool, device=self.device)
        return self.model.language.splice(ids, tokens, dict.fromkeys(tokens, every))

    def _visual(self, frames: Tensor) -> dict[str, Tensor]:
        """Frames (batch, T, 3, H, W) uint8: to PIL images and back, then the whole tower."""
        visual: Any = self.model.visual_encoder
        pictures = [Image.fromarray(frame.permute(1, 2, 0).cpu().numpy()) for frame in frames.flatten(0, 1)]
        pixels = torch.stack([self.process(picture) for picture in pictures]).to(self.device, visual.compute_dtype)
        hidden = visual.tower(pixel_values=pixels, output_hidden_states=True).hidden_states
        shape = frames.shape[:2]
        scales = torch.stack([hidden[layer][:, 0] for layer in visual.layers], 1)
        return {
            "visual.last": hidden[-2][:, 0].unflatten(0, shape).float(),
            "fusion.visual": scales.unflatten(0, shape).float(),
        }

    def _face(self, frames: Tensor) -> dict[str, Tensor]:
        face: Any = self.model.facial_encoder
        pixels = face.preprocess(frames.flatten(0, 1)).to(face.compute_dtype)
        return {"face.last": fuse_maps(face.tower, face.tower.maps(pixels)).unflatten(0, frames.shape[:2]).float()}


class UnreadInputs:
    """What the released loader makes of an item and hands to no tower.

    Args:
        size: of the augmented pictures, pixels.
    """

    def __init__(self, size: int) -> None:
        mean, std = (0.481, 0.458, 0.408), (0.269, 0.261, 0.276)  # CLIP's
        bicubic = transforms.InterpolationMode.BICUBIC
        self.augment = transforms.Compose(
            [
                transforms.RandomResizedCrop(size, scale=(0.5, 1.0), interpolation=bicubic, antialias=True),
                transforms.RandomHorizontalFlip(),
                transforms.ConvertImageDtype(torch.float32),
                transforms.Normalize(mean, std),
            ]
        )

    def __call__(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Of frames (T, 3, H, W) uint8 an augmented copy, of clips (c, samples) at 16 kHz log-mel bins (c, time, 128)."""
        made = [self.augment(inputs["frames"])] if "frames" in inputs else []
        if "clips" in inputs:
            wave = {"sample_frequency": 16000, "num_mel_bins": 128, "window_type": "hanning", "htk_compat": True, "dither": 0.0}
            clips = inputs["clips"].float()
            made.append(torch.stack([fbank(clip[None] - clip.mean(), use_energy=False, **wave) for clip in clips]))
        return made


def fuse_maps(network: FaceNetwork, maps: Sequence[Tensor]) -> Tensor:
    """Four maps (n, H_i, W_i, channels_i) to (n, width): enlarged to the largest, convolved 1 x 1, then pooled."""
    enlarged = []
    for linear, tapped in zip(network.linear_c, maps, strict=True):
        projected: Tensor = linear["proj"](tapped).movedim(-1, 1)  # type: ignore[index]
        enlarged.append(nn.functional.interpolate(projected, size=maps[0].shape[1:3], mode="bilinear", align_corners=False))
    fused: Tensor = network.linear_fuse(torch.cat(enlarged[::-1], 1))
    return fused.mean((2, 3))


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bf16 on a GPU, for both paths; float32 on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
