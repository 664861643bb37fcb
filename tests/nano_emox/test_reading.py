"""The fast ways to read are the slow one: chunked, packed, shared and narrowed against padded rows and all logits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from nano_emox.batch import Batch, pad
from nano_emox.cross_entropy import cross_entropy
from nano_emox.fused import fuse
from nano_emox.language import LanguageHead
from nano_emox.prefixes import PrefixMemory
from nano_emox.prompts import SLOT_IDS

WIDTH, VOCABULARY, END = 32, 300, 7
TOKENS = {"visual": 6, "speech": 5, "face": 3, "fusion": 1}
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": END, "pad_token_id": 0,
}  # fmt: skip
MODELS = {
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=False)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=8)),
}
# instruction (its number), blocks, words, answer tokens
ASKED = [
    (0, {"speech", "face"}, 4, 3),
    (0, {"speech"}, 9, 2),
    (1, set(), 5, 6),
    (1, {"visual", "fusion"}, 2, 1),
    (2, {"face"}, 0, 4),
]


def make_head(name: str = "qwen2", *, frozen: bool, seed: int = 0, **options) -> LanguageHead:
    torch.manual_seed(seed)
    head = LanguageHead(MODELS[name](), lora_rank=4, lora_dropout=0.0, **options)
    for key, parameter in head.named_parameters():
        if "lora_B" in key:
            nn.init.normal_(parameter, std=0.2)
        if "embed" in key or "lm_head" in key:
            nn.init.normal_(parameter, std=0.5)  # answers differ, and so do losses
    if frozen:
        head.requires_grad_(False)
    return head.train()


def make_batch(asked=ASKED, *, generate: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(3)

    def words(count: int) -> list[int]:
        return torch.randint(10, VOCABULARY, (count,), generator=generator).tolist()

    start = words(6)
    instructions = [start + words(5 + 4 * number) for number in range(3)]
    rows, prefix = [], []
    for instruction, blocks, said, answer in asked:
        prompt = list(instructions[instruction])
        prefix.append(len(prompt))
        for name, slot in SLOT_IDS.items():
            if name in blocks:
                prompt += [*words(1), *[slot] * TOKENS[name]]
        rows.append((prompt + words(said) + [3, 4], [] if generate else words(answer)))
    ids, labels, mask = pad(rows, 0, left=generate)
    slots = {name: torch.tensor([name in blocks for _, blocks, _, _ in asked]) for name in SLOT_IDS}
    return Batch(ids, mask, labels, {}, slots, prefix=tuple(prefix))


def make_tokens(batch: Batch) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    counts = {name: int(has.sum()) for name, has in batch.slots.items()}
    return {
        name: torch.randn(rows, TOKENS[name], WIDTH, generator=generator).requires_grad_()
        for name, rows in counts.items()
        if rows
    }


def loss_and_gradients(head: LanguageHead, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    tokens = make_tokens(batch)
    losses = head.loss(batch, tokens)
    (losses.loss + 0.5 * losses.row_mean).backward()
    gradients = {name: value.grad for name, value in [*tokens.items(), *head.named_parameters()] if value.grad is not None}
    head.zero_grad()
    return losses.row_sums.detach(), gradients


def full_logits(head: LanguageHead, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """As Hugging Face and peft compute it: padded rows, all positions, all logits."""
    tokens = make_tokens(batch)
    fuse(head, False)
    embedded = head.splice(batch.input_ids, tokens, batch.slots)
    logits = head.model(inputs_embeds=embedded, attention_mask=batch.attention_mask.long()).logits[:, :-1]
    targets = batch.labels[:, 1:]
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
    counts = (targets != -100).sum(1)
    (losses.sum() / counts.sum() + 0.5 * (losses.sum(1) / counts).mean()).backward()
    gradients = {name: value.grad for name, value in [*tokens.items(), *head.named_parameters()] if value.grad is not None}
    head.zero_grad()
    fuse(head)
    return losses.sum(1).detach(), gradients


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "lora"])
@pytest.mark.parametrize("way", ["padded", "packed", "shared", "eager", "recomputed"])
def test_losses_and_gradients_are_those_of_padded_rows_and_full_logits(name, frozen, way):
    head = make_head(
        name, frozen=frozen, packing=way != "padded", shared_prefix=way not in ("padded", "packed"),
        gradient_checkpointing=way == "recomputed",
    )  # fmt: skip
    if way == "eager":
        head.model.set_attn_implementation("eager")
    batch = make_batch()
    expected, expected_gradients = full_logits(head, batch)
    found, gradients = loss_and_gradients(head, batch)
    assert_close(found, expected, atol=2e-4, rtol=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    assert set(gradients) >= {"speech", "visual", "face", "fusion"}
    assert any("lora_" in key for key in gradients) != frozen
    for key, gradient in gradients.items():
        allowed = 2e-4 + 3e-5 * float(expected_gradients[key].abs().max())
        assert_close(gradient, expected_gradients[key], atol=allowed, rtol=1e-3, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "lora"])
def test_rows_that_hold_a_masked_token_are_read_as_before(frozen):
    """The released style leaves the end token out of attention inside a row, also where another row has the same tokens."""
    head = make_head(frozen=frozen)
    batch = make_batch()
    mask = batch.attention_mask.clone()
    mask[1, 14], mask[0, 8] = False, False
    batch = replace(batch, attention_mask=mask)
    expected, expected_gradients = full_logits(head, batch)
    found, gradients = loss_and_gradients(head, batch)
    assert_close(found, expected, atol=2e-4, rtol=1e-5)
    for key, gradient in gradients.items():
        allowed = 2e-4 if frozen else 2e-4 + 3e-5 * float(expected_gradients[key].abs().max())
        assert_close(gradient, expected_gradients[key], atol=allowed, rtol=1e-3)


def test_bare_language_models_train_wholly():
    torch.manual_seed(0)
    head = LanguageHead(MODELS["qwen2"]()).train()
    batch = make_batch()
    expected, expected_gradients = full_logits(head, batch)
    found, gradients = loss_and_gradients(head, batch)
    assert_close(found, expected, atol=2e-4, rtol=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    for key, gradient in gradients.items():
        assert_close(gradient, expected_gradients[key], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_cross_entropy_in_chunks_is_cross_entropy(trains, bias):
    torch.manual_seed(1)
    head = nn.Linear(WIDTH, VOCABULARY, bias=bias).requires_grad_(trains)
    hidden, targets = torch.randn(11, WIDTH, requires_grad=True), torch.randint(VOCABULARY, (11,))
    weights = torch.rand(11)
    found = []
    for losses in (
        cross_entropy(hidden, head, targets, logits=4 * VOCABULARY),
        nn.functional.cross_entropy(head(hidden), targets, reduction="none"),
    ):
        (losses * weights).sum().backward()
        found.append([losses.detach(), hidden.grad, *(p.grad for p in head.parameters() if trains)])
        hidden.grad = None
        head.zero_grad()
    assert_close(*found)


class _Largest(TorchDispatchMode):
    """Remembers the most rows that a tensor of logits had."""

    rows = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if (
            isinstance(out, Tensor) and out.ndim == 2 and out.shape[1] == VOCABULARY and len(out) != WIDTH
        ):  # the head's own weight
            self.rows = max(self.rows, out.numel() // VOCABULARY)
        return out


def test_no_tensor_of_all_logits_exists_forward_or_backward():
    head, batch = make_head(frozen=True), make_batch()
    hidden, targets, _ = head.supervised(batch, make_tokens(batch))
    with _Largest() as largest:
        cross_entropy(hidden, head.head, targets, logits=3 * VOCABULARY).sum().backward()
    assert len(targets) > 10
    assert largest.rows == 3


def test_a_prefix_is_read_once_and_gives_the_same_bits_whether_kept_or_read_again():
    head, batch = make_head(frozen=True), make_batch()
    lengths = []
    head.model.model.layers[0].register_forward_hook(lambda _, args, out: lengths.append(tuple(args[0].shape[:2])))
    first = loss_and_gradients(head, batch)
    assert sorted(lengths[:3]) == [(1, 11), (1, 15), (1, 19)]  # three instructions, each alone
    lengths.clear()
    second = loss_and_gradients(head, batch)
    assert len(lengths) == 1
    assert lengths[0][0] * lengths[0][1] < batch.attention_mask.sum()
    head.reader.prefixes = PrefixMemory()
    again = loss_and_gradients(head, make_batch())
    for one in (second, again):
        assert torch.equal(first[0], one[0])
        assert all(torch.equal(first[1][key], one[1][key]) for key in first[1])


def test_prefixes_read_in_validation_serve_training_and_change_with_the_weights():
    head, batch = make_head(frozen=True), make_batch()
    with torch.inference_mode():
        before = head.loss(batch, make_tokens(batch)).row_sums
    assert_close(loss_and_gradients(head, batch)[0], before)
    with torch.no_grad():
        head.model.model.layers[0].self_attn.k_proj.weight.mul_(1.5)
    expected, _ = full_logits(head, batch)
    assert not torch.allclose(expected, before, atol=1e-3)
    assert_close(loss_and_gradients(head, batch)[0], expected, atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_prefixes_read_before_an_optimizer_step_are_not_used_after_it(fused):
    head, batch = make_head(frozen=False), make_batch()
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=0.1, fused=fused)
    for _ in range(2):
        head.eval()
        with torch.no_grad():
            before = head.loss(batch, make_tokens(batch)).row_sums
        head.train()
        head.loss(batch, make_tokens(batch)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    head.eval()
    with torch.no_grad():
        after = head.loss(batch, make_tokens(batch)).row_sums
        head.reader.prefixes.clear()
        again = head.loss(batch, make_tokens(batch)).row_sums
    assert torch.equal(after, again)
    assert not torch.allclose(before, after, atol=1e-3)


@pytest.mark.parametrize("packing", [True, False])
def test_prefixes_of_answers_are_not_used_after_a_step_or_without_adapters(packing):
    head, batch, asked = make_head(frozen=False, packing=packing), make_batch(), make_batch(generate=True)

    def known() -> Tensor:
        with torch.no_grad():
            return head.reader.before(head._prompts(asked))[0][-1][0].clone()

    def afresh() -> Tensor:
        head.reader.prefixes.clear()
        return known()

    head.eval()
    before = known()
    head.train()
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=0.1, fused=True)
    head.loss(batch, make_tokens(batch)).loss.backward()
    optimizer.step()
    head.eval()
    after = known()
    assert not torch.equal(before, after)
    assert torch.equal(after, afresh())
    layers = [module for module in head.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    without = known()
    assert not torch.equal(without, after)
    assert torch.equal(without, afresh())


def test_the_memory_of_prefixes_is_bounded():
    head = make_head(frozen=True)
    memory = PrefixMemory(tokens=40)
    for number in range(9):
        keys, _ = memory.of(head.model, [tuple(range(10, 25 + number))])[0]
        assert keys.shape == (1, 2, 15 + number, 8)
        assert sum(len(ids) for ids in memory._kept) <= 40
    assert len(memory._kept) == 1
    memory.of(head.model, [tuple(range(50))])  # alone it may be longer than the bound
    assert len(memory._kept) == 1


def test_training_lora_reads_prefixes_with_gradients_and_keeps_nothing():
    head = make_head(frozen=False)
    loss_and_gradients(head, make_batch())
    assert not head.reader.prefixes._kept


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_transformers_and_rows_end_on_their_own(name):
    head = make_head(name, frozen=True)
    batch = make_batch(generate=True)
    tokens = make_tokens(batch)
    with torch.no_grad():
        embedded = head.splice(batch.input_ids, tokens, batch.slots)
    theirs = head.model.generate(
        inputs_embeds=embedded, attention_mask=batch.attention_mask.long(), max_new_tokens=12, do_sample=False,
        eos_token_id=-1, pad_token_id=0,
    )  # fmt: skip
    assert torch.equal(head.generate(batch, tokens, max_new_tokens=12, eos_token_id=-1), theirs)
    ends = [int(theirs[0, 2]), int(theirs[1, 5]), int(theirs[3, 7])]
    ended = head.generate(batch, tokens, max_new_tokens=12, eos_token_id=ends, pad_token_id=0)
    sizes = []
    for row, whole in zip(ended, theirs, strict=True):
        size = next((place + 1 for place, token in enumerate(whole.tolist()) if token in ends), 12)
        sizes.append(size)
        assert torch.equal(row[:size], whole[:size])
        assert not row[size:].any()
    assert ended.shape[1] == max(sizes)
    assert len(set(sizes)) > 2
    head.shared_prefix = False
    assert torch.equal(head.generate(batch, tokens, max_new_tokens=12, eos_token_id=ends, pad_token_id=0), ended)


def test_one_row_streams_its_tokens_and_other_options_go_to_transformers():
    head = make_head(frozen=True)
    batch = make_batch([ASKED[2]], generate=True)

    class Heard:
        def __init__(self):
            self.ids, self.over = [], False

        def put(self, value):
            self.ids += value.flatten().tolist()

        def end(self):
            self.over = True

    heard = Heard()
    said = head.generate(batch, max_new_tokens=6, eos_token_id=-1, streamer=heard)
    assert heard.ids == said[0].tolist()
    assert heard.over
    beams = head.generate(batch, max_new_tokens=6, eos_token_id=-1, num_beams=3)
    assert beams.shape == (1, 6)


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_candidates_are_their_own_losses(name):
    head = make_head(name, frozen=True)
    batch = make_batch(generate=True)
    tokens = make_tokens(batch)
    candidates = [
        [[20, 21, END], [20, 22, 23, END], [30, END]],
        [[20, 21, END]],
        [[40, END], [40, 41, END]],
        [[9], [8]],
        [[5, 6]],
    ]
    reads = []
    head.model.model.layers[0].register_forward_hook(lambda _, args, out: reads.append(args[0].shape))
    found = head.score(batch, candidates, tokens)
    assert sum(shape[0] * shape[1] > 20 for shape in reads) == 1  # besides the instructions, one forward pass
    lengths = batch.attention_mask.sum(1).tolist()
    for number, (row, given) in enumerate(zip(found, candidates, strict=True)):
        prompt = batch.input_ids[number, -lengths[number] :].tolist()
        own = {k: v[int(batch.slots[k][:number].sum())][None] for k, v in tokens.items() if bool(batch.slots[k][number])}
        slots = {k: v[number : number + 1] for k, v in batch.slots.items()}
        for score, ids in zip(row, given, strict=True):
            alone, labels, mask = pad([(prompt, ids)], 0)
            with torch.no_grad():
                loss = head.loss(Batch(alone, mask, labels, {}, slots), own)
            assert_close(score[None], -loss.row_sums, atol=2e-4, rtol=1e-5)
    with pytest.raises(ValueError, match="needs candidates"):
        head.score(batch, [[], *candidates[1:]], tokens)


def test_a_model_with_a_sliding_window_is_padded():
    config = Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=8, max_window_layers=1)
    head = LanguageHead(Qwen2ForCausalLM(config), lora_rank=4).requires_grad_(False).train()
    assert not head.reader.fits
    batch = make_batch()
    assert_close(loss_and_gradients(head, batch)[0], full_logits(head, batch)[0], atol=2e-4, rtol=1e-5)
    assert head.generate(make_batch(generate=True), make_tokens(batch), max_new_tokens=3, eos_token_id=-1).shape == (5, 3)
    with pytest.raises(ValueError, match="decode=greedy"):
        head.score(make_batch(generate=True), [[[1]]] * 5, make_tokens(batch))
