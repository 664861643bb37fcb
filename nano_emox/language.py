"""The language model: where modality tokens enter, and where the loss is taken.

- Modality positions are negative ids. They are filled from the adapters' tokens; counts that do not match are an error
  that names the row.
- The vocabulary is large (151,936 rows), answers are short: the head runs at supervised positions only.
- LoRA sits inside the model, without a wrapper, so parameter names are the language model's own plus `lora_A`, `lora_B`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from peft import LoraConfig
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from nano_emox.batch import IGNORED, Batch
from nano_emox.cross_entropy import cross_entropy, log_probabilities
from nano_emox.decoding import greedy
from nano_emox.encoders.frozen import load_complete
from nano_emox.fused import fuse
from nano_emox.lora import add_lora, bypass_idle_lora
from nano_emox.optimisation import Phase, adamw
from nano_emox.prompts import SLOT_IDS
from nano_emox.reading import Reader, Row

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LanguageLoss(NamedTuple):
    """Cross entropy in float32: the mean over supervised tokens, and per row its sum and count, (batch,)."""

    loss: Tensor
    row_sums: Tensor
    row_counts: Tensor

    @property
    def row_mean(self) -> Tensor:
        """The mean of the rows' own means: a label of one token weighs as much as a description of forty."""
        return (self.row_sums / self.row_counts.clamp(min=1)).mean()


class LanguageHead(LightningModule):
    """A causal language model, frozen under LoRA, or bare and trainable (paper, section 3.1).

    Args:
        model: any Hugging Face causal LM whose projections have the usual names.
        lora_rank: of the adaptation of its seven projections; 0 leaves the model bare and wholly trainable.
        lora_alpha, lora_dropout: of LoRA; the scaling is alpha / rank.
        gradient_checkpointing: recompute layers in the backward pass, also while the model is frozen.
        attention: `sdpa`; with `eager` or `flash_attention_2` rows are padded, packed or not.
        packing: rows lie side by side without padding; without it they are padded to the longest.
        shared_prefix: with packing, what rows have in common is computed once, and kept while nothing here trains.
    """

    phase: Phase

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        lora_rank: int = 0,
        lora_alpha: int = 32,
        lora_dropout: float = 0.05,
        gradient_checkpointing: bool = False,
        attention: str = "sdpa",
        packing: bool = True,
        shared_prefix: bool = True,
    ) -> None:
        super().__init__()
        for name in ("final_logit_softcapping", "logit_scale", "logits_scaling"):
            if getattr(model.config, name, None):
                raise ValueError(f"{type(model).__name__} rescales its logits ({name}); this loss does not support that")
        self.model = model
        if attention != model.config._attn_implementation:
            model.set_attn_implementation(attention)
        # Published generation settings (sampling, a repetition penalty) would silently replace greedy decoding.
        ids = model.generation_config
        self.model.generation_config = GenerationConfig(
            bos_token_id=ids.bos_token_id, eos_token_id=ids.eos_token_id, pad_token_id=ids.pad_token_id
        )
        if lora_rank:
            config = LoraConfig(r=lora_rank, lora_alpha=lora_alpha, lora_dropout=lora_dropout, target_modules=list(PROJECTIONS))
            add_lora(self.model, config)
        fuse(self.model)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not lora_rank or "lora_" in name)
            if "lora_" in name:
                parameter.data = parameter.data.float()  # AdamW's steps are too small for bfloat16
        if lora_rank:
            self.register_load_state_dict_post_hook(_after_loading)
        self.packing, self.shared_prefix = packing, shared_prefix
        self.keeps_prefixes = True  # from one batch to the next, where the language model is frozen
        self.reader = Reader(self.model)
        if gradient_checkpointing:
            self.model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})

    @classmethod
    def from_pretrained(cls, directory: str | Path, *, dtype: torch.dtype = torch.float32, **settings: Any) -> LanguageHead:
        """Load a causal LM from a directory in the Hugging Face layout; `settings` are those of the constructor.

        Raises:
            FileNotFoundError: there is no `config.json`.
        """
        directory = Path(directory)
        if not (directory / "config.json").is_file():
            raise FileNotFoundError(f"no config.json in {directory}; expected a causal LM in the Hugging Face layout")
        return cls(load_complete(AutoModelForCausalLM, directory, dtype), **settings)

    @property
    def width(self) -> int:
        """Dimension of a token."""
        return int(self.model.config.get_text_config().hidden_size)

    @property
    def layers(self) -> nn.ModuleList:
        """The decoder's layers."""
        layers = self.model.get_decoder().layers
        assert isinstance(layers, nn.ModuleList)
        return layers

    def train(self, mode: bool = True) -> Self:
        """Training mode only where something trains: no dropout while model and LoRA are frozen."""
        return super().train(mode and self.trains)

    @property
    def trains(self) -> bool:
        """Whether anything here has a gradient: LoRA, or the bare model."""
        return any(parameter.requires_grad for parameter in self.model.parameters())

    def splice(
        self, input_ids: Tensor, tokens: Mapping[str, Tensor], slots: Mapping[str, Tensor], names: Sequence[str] = ()
    ) -> Tensor:
        """Embed ids and put modality tokens where the ids are negative.

        Args:
            input_ids: (batch, length); `SLOT_IDS` at modality positions.
            tokens: per block, (rows that have it, n, width), in row order.
            slots: per block, (batch,) bool: which rows have it.
            names: of the rows, for the error.

        Returns:
            (batch, length, width) in the model's dtype.

        Raises:
            ValueError: a row has more or fewer positions of a block than there are tokens for it.
        """
        embedded: Tensor = self.model.get_input_embeddings()(input_ids.clamp(min=0))
        filled = torch.zeros_like(input_ids, dtype=torch.bool)
        places, given = [], []
        for name, slot_id in SLOT_IDS.items():
            positions = input_ids == slot_id
            values = tokens.get(name)
            rows = slots.get(name, torch.zeros_like(input_ids[:, 0], dtype=torch.bool)).to(torch.bool)
            size = 0 if values is None else values.shape[1]
            if values is not None and values.shape[0] != int(rows.sum()):
                raise ValueError(f"{name}: tokens for {values.shape[0]} rows, but {int(rows.sum())} rows have the block")
            counts, expected = positions.sum(1), rows * size
            if not torch.equal(counts, expected):
                row = int((counts != expected).nonzero()[0, 0])
                label = f"row {row} ({names[row]})" if names else f"row {row}"
                raise ValueError(
                    f"{name}: {label} has {int(counts[row])} positions for {int(expected[row])} tokens; the prompt and the"
                    " model must be built with the same `model.tokens`"
                )
            if values is not None and len(values):
                places.append(positions.flatten().nonzero()[:, 0])
                given.append(values.flatten(0, 1).to(embedded.dtype))
            filled |= positions
        if not torch.equal(filled, input_ids < 0):
            raise ValueError(f"input_ids hold negative ids other than {sorted(SLOT_IDS.values())}")
        if places:
            embedded = embedded.flatten(0, 1).index_copy(0, torch.cat(places), torch.cat(given)).view_as(embedded)
        return embedded

    def loss(self, batch: Batch, tokens: Mapping[str, Tensor] | None = None) -> LanguageLoss:
        """Next-token cross entropy over the answer's tokens (paper, section 3.2), its logits a chunk at a time.

        Raises:
            ValueError: no position of the batch is supervised, or the blocks do not fit (see `splice`).
        """
        hidden, targets, rows = self.supervised(batch, tokens)
        losses = cross_entropy(hidden, self.head, targets)
        sums = torch.zeros(len(batch), dtype=losses.dtype, device=losses.device).index_add(0, rows, losses)
        return LanguageLoss(losses.mean(), sums, torch.bincount(rows, minlength=len(batch)))

    def supervised(self, batch: Batch, tokens: Mapping[str, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states (n, width), next tokens (n,) and rows (n,) of the n supervised positions, row by row.

        Raises:
            ValueError: see `loss`.
        """
        embedded = self.splice(batch.input_ids, tokens or {}, batch.slots, names_of(batch))
        targets = batch.labels[:, 1:]
        rows, positions = (targets != IGNORED).nonzero(as_tuple=True)
        if not len(rows):
            raise ValueError(f"no supervised position in the batch {list(names_of(batch)) or tuple(batch.labels.shape)}")
        training = torch.is_grad_enabled() and self.trains
        if training:
            self.reader.prefixes.clear()  # a step follows, and a fused optimizer's is counted in no parameter's version
        if self.packing and self.reader.fits:
            remembers = self.shared_prefix and self.keeps_prefixes and not training and not self.model.training
            read, skipped = self._rows(batch, remembers)
            wanted = (rows, positions - skipped[rows.cpu()].to(rows.device))
            found, which = self.reader.read(read, embedded.flatten(0, 1), batch.attention_mask.bool().flatten(), wanted)
            hidden = found.index_select(0, which)
        else:
            flat = rows * embedded.shape[1] + positions
            whole = self.reader.decode(embedded, batch.attention_mask.long(), None, None, flat)
            hidden = whole.flatten(0, 1).index_select(0, flat)
        return hidden, targets[rows, positions], rows

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (n, width) to logits in float32 (n, vocabulary)."""
        scores: Tensor = self.head(hidden).float()
        return scores

    @property
    def head(self) -> nn.Linear:
        """The output layer."""
        head: nn.Linear = self.model.get_output_embeddings()
        return head

    def _rows(self, batch: Batch, remembers: bool) -> tuple[list[Row], Tensor]:
        """The batch's rows up to their last answer token, which predicts nothing; and what of each is a known prefix."""
        ids, width = batch.input_ids.tolist(), batch.input_ids.shape[1]
        supervised = batch.labels.cpu() != IGNORED
        firsts = supervised.int().argmax(1).tolist()
        ends = (supervised * torch.arange(width)).amax(1).tolist()
        seen = batch.attention_mask.bool().cpu().int().cumprod(1).sum(1).tolist()  # tokens up to the first masked one
        rows, skipped = [], torch.zeros(len(batch), dtype=torch.long)
        for number, (row, first, end) in enumerate(zip(ids, firsts, ends, strict=True)):
            given = max(0, min(batch.prefix[number], first - 1)) if batch.prefix is not None and remembers and end else 0
            if given > seen[number] or min(row[:given], default=0) < 0:
                given = 0
            names: list[Hashable] = [token if token >= 0 else (number, place) for place, token in enumerate(row[:end])]
            if seen[number] < end:  # what others may not attend to is no token that a row without a mask could share
                shown = batch.attention_mask[number].tolist()
                names = [name if shown[place] else (name, "masked") for place, name in enumerate(names)]
            if not self.shared_prefix and names:
                names[0] = (number, 0)
            start = number * width
            skipped[number] = given
            rows.append(Row(names[given:], range(start + given, start + end), tuple(row[:given])))
        return rows, skipped

    @torch.inference_mode()
    def generate(
        self,
        batch: Batch,
        tokens: Mapping[str, Tensor] | None = None,
        max_new_tokens: int = 512,
        streamer: Any = None,
        **options: Any,
    ) -> Tensor:
        """Answer, greedily unless `options` (as in `generate` of transformers) say otherwise.

        Args:
            batch: prompts, padded on the left.
            tokens: per block, as in `splice`.
            max_new_tokens: upper limit of an answer.
            streamer: receives tokens as they come; for one row only.

        Returns:
            (batch, new tokens) int64: new tokens only, padded after the end of turn.

        Raises:
            ValueError: the batch is padded on the right.
        """
        self._check_left(batch)
        embedded = self.splice(batch.input_ids, tokens or {}, batch.slots, names_of(batch))
        defaults = self.model.generation_config
        ends = options.pop("eos_token_id", defaults.eos_token_id)
        ends = list(ends) if isinstance(ends, list | tuple) else [] if ends is None else [ends]
        pad_id = options.pop("pad_token_id", defaults.pad_token_id)
        pad_id = pad_id if pad_id is not None else (ends or [0])[0]
        if options or not self.reader.fits:
            options = {"do_sample": False, "max_new_tokens": max_new_tokens, "streamer": streamer, **options}
            model: Any = self.model
            generated: Tensor = model.generate(
                inputs_embeds=embedded, attention_mask=batch.attention_mask.long(), eos_token_id=ends or None,
                pad_token_id=pad_id, **options,
            )  # fmt: skip
            return generated
        rows = self._prompts(batch)
        size = max(len(row.source) for row in rows)
        mask = torch.zeros(len(rows), size, dtype=torch.bool)
        for number, row in enumerate(rows):
            mask[number, size - len(row.source) :] = True
        keys, own = self.reader.before(rows)
        return greedy(
            self.reader, embedded[:, -size:], torch.cat([own, mask], 1).to(embedded.device),
            batch.attention_mask.sum(1) - 1, keys, ends=ends, pad_id=pad_id, max_new_tokens=max_new_tokens, streamer=streamer,
        )  # fmt: skip

    @torch.inference_mode()
    def score(
        self, batch: Batch, candidates: Sequence[Sequence[Sequence[int]]], tokens: Mapping[str, Tensor] | None = None
    ) -> list[Tensor]:
        """Log-probability of each candidate answer, all in one forward pass.

        A prompt is read once for all its candidates, and so is what candidates begin with. The sum over an answer's
        tokens, its end of turn included, is the log-probability of exactly that answer; it is not normalised by length.

        Args:
            batch: prompts, padded on the left as for `generate`.
            candidates: per row, the ids of its possible answers.
            tokens: per block, as in `splice`.

        Returns:
            Per row, (candidates,) float32.

        Raises:
            ValueError: the batch is padded on the right, a row has no candidates, or the model cannot be packed.
        """
        self._check_left(batch)
        if not self.reader.fits:
            raise ValueError(
                f"{type(self.model).__name__} with {self.model.config._attn_implementation} attention cannot read candidates"
                " side by side; use evaluation.decode=greedy, or backbones.attention=sdpa if its layers attend to everything"
            )
        if any(not row or not all(row) for row in candidates):
            raise ValueError(f"every row needs candidates, none of them empty: {[len(row) for row in candidates]}")
        prompts = self.splice(batch.input_ids, tokens or {}, batch.slots, names_of(batch))
        answers = [(row, ids) for row, given in zip(self._prompts(batch), candidates, strict=True) for ids in given]
        places = torch.tensor([token for _, ids in answers for token in ids], device=prompts.device)
        bank = torch.cat([prompts.flatten(0, 1), self.model.get_input_embeddings()(places).to(prompts.dtype)])
        rows: list[Row] = []
        wanted_rows: list[int] = []
        wanted_places: list[int] = []
        start = prompts.shape[0] * prompts.shape[1]
        for number, (row, ids) in enumerate(answers):
            said = range(start, start + len(ids) - 1)  # the last token predicts nothing
            rows.append(Row([*row.names, *ids[:-1]], [*row.source, *said], row.prefix))
            wanted_rows += [number] * len(ids)
            wanted_places += range(len(row.names) - 1, len(row.names) - 1 + len(ids))
            start += len(ids)
        wanted = (torch.tensor(wanted_rows), torch.tensor(wanted_places))
        visible = torch.ones(len(bank), dtype=torch.bool, device=bank.device)
        hidden, which = self.reader.read(rows, bank, visible, wanted)
        found = log_probabilities(hidden, self.head, which, places)
        sums = torch.zeros(len(answers), device=found.device).index_add(0, wanted[0].to(found.device), found)
        return list(sums.split([len(row) for row in candidates]))

    def _prompts(self, batch: Batch) -> list[Row]:
        """The prompts of a batch that is padded on the left, after their known prefixes."""
        ids, width, seen = batch.input_ids.tolist(), batch.input_ids.shape[1], batch.attention_mask.sum(1).tolist()
        rows = []
        for number, row in enumerate(ids):
            first = width - seen[number]
            given = 0 if batch.prefix is None or not self.shared_prefix else min(batch.prefix[number], seen[number] - 1)
            names = [token if token >= 0 else (number, place) for place, token in enumerate(row)]
            start = first + given
            rows.append(Row(names[start:], range(number * width + start, (number + 1) * width), tuple(row[first:start])))
        return rows

    @staticmethod
    def _check_left(batch: Batch) -> None:
        if not bool(batch.attention_mask[:, -1].all()):
            raise ValueError("prompts for generation are padded on the left: Collator(..., generate=True)")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Plain language modelling, where this module is trained on its own; batches have no slots."""
        loss = self.loss(batch).loss
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Token mean of the loss, logged as `val/loss`."""
        loss = self.loss(batch).loss
        self.log("val/loss", loss, prog_bar=True, sync_dist=True, batch_size=len(batch))
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW as `self.phase` says."""
        return adamw(self.named_parameters(), self.phase)


def names_of(batch: Batch) -> list[str]:
    """`data set/sample` of every row, where the batch has its items."""
    return [f"{item.sample.dataset}/{item.sample.id}" for item in batch.items]


def _after_loading(head: nn.Module, _: object) -> None:
    bypass_idle_lora(head)
