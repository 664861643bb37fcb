"""What the three towers have in common: they never train, never drop anything out, and can say who they are.

A tower's output is a pure function of the clip, the weights and the preprocessing. That is why features may be computed
once and stored: `fingerprint` is the part of their address that changes when the tower does. Autocast is switched off
inside a tower, so that the trainer's precision cannot make online features differ from stored ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn


class FrozenEncoder(LightningModule):
    """A frozen tower. Subclasses set `modality` (`visual`, `speech`, `face`), `media` (`frames`, `clips`) and `encode`.

    Args:
        tower: the network; its parameters are frozen here. Its dtype is the one that it computes in.
        settings: everything else that decides the output (preprocessing, layers); plain types, part of the fingerprint.
    """

    modality: str
    media: str

    def __init__(self, tower: nn.Module, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.tower = tower.requires_grad_(False)
        self.settings = dict(settings)
        self.eval()

    def encode(self, media: Tensor) -> dict[str, Tensor]:
        """Media to features, with gradients where a caller switches them on (pre-training of the tiny towers)."""
        raise NotImplementedError

    def forward(self, media: Tensor) -> dict[str, Tensor]:
        """Media (batch, ...) to float32 features: `last` (batch, time, dim), `scales` (batch, time, layers, dim).

        Raises:
            ValueError: media of the wrong rank or type.
        """
        with torch.no_grad(), torch.autocast(media.device.type, enabled=False):
            return {name: value.float() for name, value in self.encode(media).items()}

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int = 0) -> dict[str, Any]:
        """`{"key": [...], "frames" | "clips": Tensor}` to `{"key": [...], "features": {"visual.last": Tensor, ...}}`."""
        if self.media not in batch:
            raise ValueError(f"{type(self).__name__} needs {self.media!r} in its batch; it has {sorted(batch)}")
        features = self(batch[self.media])
        return {"key": list(batch["key"]), "features": {f"{self.modality}.{k}": v for k, v in features.items()}}

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode, whoever asks: dropout or stochastic depth in a frozen tower would only be noise."""
        return super().train(False)

    def fingerprint(self) -> str:
        """SHA-256 (hex, 32 characters) of weights, architecture and preprocessing; equal in every process."""
        digest = hashlib.sha256()
        digest.update(json.dumps({"class": type(self).__name__, **self.settings}, sort_keys=True).encode())
        for name, tensor in sorted(self.tower.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:32]

    @property
    def width(self) -> int:
        """Feature dimension."""
        raise NotImplementedError

    @property
    def compute_dtype(self) -> torch.dtype:
        """The dtype of the weights, which is the one the tower computes in."""
        return next(p for p in self.tower.parameters() if p.is_floating_point()).dtype


def load_complete(family: Any, directory: Path, dtype: torch.dtype, *, may_lack: Collection[str] = ()) -> Any:
    """Load a checkpoint in the Hugging Face layout (safetensors, or `pytorch_model.bin` read with `weights_only`).

    Args:
        family: the class, or automatic class, that reads it.
        may_lack: names of parameters that a checkpoint may leave out.

    Raises:
        ValueError: parameters are missing or of another shape; transformers itself would leave them at random.
    """
    model, info = family.from_pretrained(directory, dtype=dtype, output_loading_info=True, weights_only=True)
    lacks = sorted(name for name in info["missing_keys"] if name.rsplit(".", 1)[-1] not in may_lack)
    wrong = [*lacks, *map(str, info["mismatched_keys"])]
    if wrong:
        raise ValueError(
            f"{directory}: {len(wrong)} parameters of {type(model).__name__} are missing or of another shape, e.g."
            f" {wrong[:4]}; the weights are another model's or incomplete: get them again"
        )
    return model


def tower_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A Hugging Face configuration as plain types, without what names a place or a version."""
    volatile = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures"}
    plain = {key: value for key, value in config.items() if key not in volatile}
    return json.loads(json.dumps(plain, sort_keys=True, default=str))
