"""Nano-EmoX: towers, adapters, fusion encoder and language model, as one LightningModule with its parts by name.

Parts return, the whole logs (a child's `self.log` raises in Lightning). What to train, on which schedule, is not decided
here: the curriculum freezes by parameter name and hands over `self.phase`. A checkpoint holds what was learned or given,
not what was downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard

from data_modules.record import Task
from nano_emox.adapters import FacialAdapter, QFormerAdapter
from nano_emox.batch import Batch
from nano_emox.config import ModelConfig
from nano_emox.encoders import FrozenEncoder
from nano_emox.fused import fuse
from nano_emox.fusion import FusionEncoder
from nano_emox.language import LanguageHead, LanguageLoss
from nano_emox.lora import bypass_idle_lora
from nano_emox.optimisation import Phase, adamw

TASKS = tuple(Task)
MEDIA_OF = {"visual": "frames", "face": "frames", "speech": "clips"}
SLOTS_OF = {"frames": ("visual", "face", "fusion"), "clips": ("speech", "fusion")}


class Embedded(NamedTuple):
    """Modality tokens per block (rows, n, width), and the fusion gates (fusion rows, experts) where there are any."""

    tokens: dict[str, Tensor]
    gates: Tensor | None


class NanoEmoX(LightningModule):
    """The model (paper, section 3.1; figure 2).

    Args:
        config: sizes; the experts are as many as its layer pairs.
        language: the language model, which decides the width of all tokens.
        widths: feature dimension per modality, `{"visual": 1024, "speech": 1024, "face": 256}`.
        encoders: frozen towers by modality, where batches carry media instead of stored features.
    """

    phase: Phase  # set by the curriculum before optimizers are built

    def __init__(
        self,
        config: ModelConfig,
        language: LanguageHead,
        widths: Mapping[str, int],
        encoders: Mapping[str, FrozenEncoder] | None = None,
    ) -> None:
        super().__init__()
        q, width, tokens = config.qformer, language.width, config.tokens

        def qformer(modality: str, positions: int) -> QFormerAdapter:
            return QFormerAdapter(
                widths[modality], width, queries=tokens[modality], positions=positions, hidden=q.hidden, layers=q.layers,
                heads=q.heads, intermediate=q.intermediate, dropout=q.dropout,
            )  # fmt: skip

        self.visual_adapter = qformer("visual", max(32, config.frames))
        self.speech_adapter = qformer("speech", max(8, config.clips))
        self.facial_adapter = FacialAdapter(
            widths["face"], width, queries=tokens["face"], heads=config.face.heads, hidden=config.face.hidden,
            dropout=config.face.dropout, positions=config.face.positions, frames=max(32, config.frames),
        )  # fmt: skip
        self.fusion = FusionEncoder(
            widths["speech"], widths["visual"], width, experts=len(config.visual_layers), tokens=tokens["fusion"],
            hidden=config.fusion.hidden, heads=config.fusion.heads, dropout=config.fusion.dropout,
        )  # fmt: skip
        for part in (self.visual_adapter, self.speech_adapter, self.facial_adapter, self.fusion):
            fuse(part)
        self.language = language
        self.visual_encoder: FrozenEncoder | None = None
        self.speech_encoder: FrozenEncoder | None = None
        self.facial_encoder: FrozenEncoder | None = None
        for modality, encoder in (encoders or {}).items():
            self.attach(modality, encoder)
        self.learned: set[str] = set()  # names of parameters that this run has trained or been given
        self.strict_loading = False  # a checkpoint holds only those; `_take` checks its names
        self._resumed: set[str] | None = None
        self._validation = torch.zeros(len(TASKS), 2, dtype=torch.float64)  # per task: sum of losses, tokens

    def configure_model(self) -> None:
        """Under a `ModelParallelStrategy`, shard parameters, gradients and optimizer state over the ranks (FSDP2).

        Each layer of the language model is gathered for its own computation only. Towers are frozen and stay whole.
        """
        if self.device_mesh is None or isinstance(self, FSDPModule):
            return
        mesh = self.device_mesh["data_parallel"]
        self.language.keeps_prefixes = False  # a rank that reads one gathers layers, and the others must do so as often
        for layer in self.language.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(self, mesh=mesh, ignored_params={p for tower in self.encoders.values() for p in tower.parameters()})

    def attach(self, modality: str, encoder: FrozenEncoder) -> None:
        """Give the model a tower, for batches that carry media."""
        names = {"visual": "visual_encoder", "speech": "speech_encoder", "face": "facial_encoder"}
        if modality not in names or encoder.modality != modality:
            raise ValueError(f"{type(encoder).__name__} is for {encoder.modality!r}, not {modality!r}; there are {list(names)}")
        setattr(self, names[modality], encoder)

    @property
    def encoders(self) -> dict[str, FrozenEncoder]:
        """The attached towers by modality."""
        towers = {"visual": self.visual_encoder, "speech": self.speech_encoder, "face": self.facial_encoder}
        return {modality: tower for modality, tower in towers.items() if tower is not None}

    def embed(self, batch: Batch) -> Embedded:
        """Modality tokens of a batch, from stored features or, if it carries media, through the towers.

        Raises:
            ValueError: a block has rows but neither features nor a tower and media.
        """
        features = self.features(batch)
        tokens: dict[str, Tensor] = {}
        adapters = {"visual": self.visual_adapter, "speech": self.speech_adapter, "face": self.facial_adapter}
        for modality, adapter in adapters.items():
            values = features.get(f"{modality}.last")
            if values is not None and len(values):
                tokens[modality] = adapter(values)
        gates = None
        if "fusion.speech" in features and len(features["fusion.speech"]):
            fused = self.fusion(features["fusion.speech"], features["fusion.visual"])
            tokens["fusion"], gates = fused.tokens, fused.gates
        for name, rows in batch.slots.items():
            if name not in tokens and bool(rows.any()):
                raise ValueError(
                    f"{int(rows.sum())} rows have the block {name!r}, but the batch has only {sorted(batch.features)}"
                )
        return Embedded(tokens, gates)

    def features(self, batch: Batch) -> Mapping[str, Tensor]:
        """The batch's features; computed by the attached towers where it carries `frames` or `clips`."""
        media = {name: batch.features[name] for name in SLOTS_OF if name in batch.features}
        if not media:
            return batch.features
        features: dict[str, Tensor] = {}
        fusion = batch.slots["fusion"]
        for modality, source in MEDIA_OF.items():
            wanted = batch.slots[modality] if modality == "face" else batch.slots[modality] | fusion
            if source not in media or not bool(wanted.any()):
                continue
            if modality not in self.encoders:
                raise ValueError(f"the batch carries {source} but no {modality} tower is attached; store features or attach it")
            present = torch.stack([batch.slots[slot] for slot in SLOTS_OF[source]]).any(0)  # rows that media has
            encoded = self.encoders[modality](media[source][wanted[present]])
            own = batch.slots[modality][wanted]
            if bool(own.any()):
                features[f"{modality}.last"] = encoded["last"][own]
            if modality != "face" and bool(fusion.any()):
                features[f"fusion.{modality}"] = encoded["scales"][fusion[wanted]]
        return features

    def forward(self, batch: Batch) -> tuple[LanguageLoss, Tensor | None]:
        """The loss of a batch and its fusion gates."""
        embedded = self.embed(batch)
        return self.language.loss(batch, embedded.tokens), embedded.gates

    def generate(self, batch: Batch, max_new_tokens: int = 512, streamer: Any = None, **options: Any) -> Tensor:
        """Answers as ids (batch, new tokens); see `LanguageHead.generate`."""
        with torch.inference_mode():
            return self.language.generate(batch, self.embed(batch).tokens, max_new_tokens, streamer, **options)

    def score(self, batch: Batch, candidates: Sequence[Sequence[Sequence[int]]]) -> list[Tensor]:
        """Log-probabilities of candidate answers, per row (candidates,); see `LanguageHead.score`."""
        with torch.inference_mode():
            return self.language.score(batch, candidates, self.embed(batch).tokens)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses, gates = self(batch)
        self.log("train/loss", losses.loss, prog_bar=True, batch_size=len(batch))
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.trainer.global_step + 1) % every == 0:  # nobody would read them, and each costs a millisecond
            logs: dict[str, Tensor] = {f"train/loss_{task}": mean for task, mean in self._by_task(batch, losses).items()}
            if gates is not None:
                logs |= {f"train/gate_{i}": gate for i, gate in enumerate(gates.detach().float().mean(0))}
            self.log_dict(logs, batch_size=len(batch))
        return losses.loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        losses, _ = self(batch)
        for row, item in enumerate(batch.items):
            pair = torch.stack([losses.row_sums[row].detach().double(), losses.row_counts[row].double()])
            self._validation[TASKS.index(item.task)] += pair
        return losses.loss

    def on_validation_epoch_start(self) -> None:
        self._validation = torch.zeros(len(TASKS), 2, dtype=torch.float64, device=self.device)

    def on_validation_epoch_end(self) -> None:
        """Log `val/loss`, the mean over all tokens of all ranks, and the same for every task that occurred."""
        totals = self.trainer.strategy.reduce(self._validation.clone(), reduce_op="sum")
        assert isinstance(totals, Tensor)
        if totals[:, 1].sum() > 0:
            self.log("val/loss", (totals[:, 0].sum() / totals[:, 1].sum()).float(), prog_bar=True)
        for task, (total, count) in zip(TASKS, totals, strict=True):
            if count > 0:
                self.log(f"val/loss_{task}", (total / count).float())

    @staticmethod
    def _by_task(batch: Batch, losses: LanguageLoss) -> dict[str, Tensor]:
        means = {}
        for task in sorted({item.task for item in batch.items}):
            rows = torch.tensor([item.task == task for item in batch.items], device=losses.row_sums.device)
            means[str(task)] = losses.row_sums[rows].detach().sum() / losses.row_counts[rows].sum().clamp(min=1)
        return means

    def train(self, mode: bool = True) -> Self:
        """Training mode where something trains; a part without a trainable parameter stays in eval mode."""
        super().train(mode)
        for part in self.children():
            parameters = list(part.parameters())
            if mode and parameters and not any(parameter.requires_grad for parameter in parameters):
                part.eval()
        return self

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW over what the phase trains; called again at every phase boundary."""
        self.learned |= self._trainable()
        bypass_idle_lora(self.language)
        return adamw(self.named_parameters(), self.phase)

    def _trainable(self) -> set[str]:
        return {name for name, parameter in self.named_parameters() if parameter.requires_grad}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """What was learned or given; before anything was, all parameters."""
        state = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if name in self.learned} if self.learned else state

    def init_from(self, state: Mapping[str, Tensor], source: str) -> None:
        """Take the weights of an earlier phase, and nothing else (a boundary checkpoint's `state_dict`).

        Raises:
            ValueError: it has parameters that this model has not, or of another shape; the message names `source`.
        """
        self._take(state, source)
        self.load_state_dict(dict(state), strict=False)

    def _take(self, state: Mapping[str, Tensor], source: str) -> None:
        own = dict(super().state_dict())
        wrong = sorted(name for name, value in state.items() if name not in own or own[name].shape != value.shape)
        if wrong:
            raise ValueError(
                f"{source}: {len(wrong)} parameters are unknown to this model or of another shape, e.g. {wrong[:4]}"
            )
        self.learned |= set(state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._take(checkpoint["state_dict"], "the checkpoint")
        self._resumed = set(checkpoint["state_dict"])

    def on_fit_start(self) -> None:
        self.train()  # Lightning leaves modes as they are, and new modules start in training mode
        if self._resumed is not None and self.trainer.ckpt_path is not None:
            missing = sorted(self._trainable() - self._resumed)
            if missing:
                raise ValueError(f"the checkpoint lacks {len(missing)} parameters that this phase trains, e.g. {missing[:4]}")
        self._resumed = None

    def trainable_table(self) -> list[tuple[str, int, int]]:
        """Per part: its name, its parameters, and how many of them train."""
        rows = []
        for name, part in self.named_children():
            counts = [(parameter.numel(), parameter.requires_grad) for parameter in part.parameters()]
            rows.append((name, sum(n for n, _ in counts), sum(n for n, trains in counts if trains)))
        return rows


def parameters_of(module: nn.Module) -> int:
    """Number of parameters, tied ones once."""
    return sum(parameter.numel() for parameter in module.parameters())
