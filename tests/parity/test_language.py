"""Collation, splice, logits, loss and gradients; and the whole model from a checkpoint in the released format."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close
from transformers import CLIPVisionConfig, CLIPVisionModel, HubertConfig, HubertModel, Qwen2Config, Qwen2ForCausalLM

from nano_emox.batch import Batch, pad
from nano_emox.checkpoints import import_released
from nano_emox.config import FaceConfig, FusionConfig, ModelConfig, QFormerConfig
from nano_emox.encoders import SpeechEncoder, VisualEncoder
from nano_emox.encoders.facial import FaceNetwork
from nano_emox.language import LanguageHead
from nano_emox.model import NanoEmoX
from nano_emox.prompts import SLOT_IDS

PHASES = {"phase1_1": "phase1_speech", "phase1_2": "phase1_visual", "phase2": "phase2", "phase3": "phase3"}
BASE = "llama_model.base_model.model."


def build_language(released, prefix: str) -> LanguageHead:
    """The fixture's language model under LoRA, with all weights that the fixture stores."""
    config, lora = released.config["llm"], released.config["lora"]
    known = {k: v for k, v in config.items() if k in Qwen2Config().to_dict() and k not in ("dtype", "torch_dtype")}
    head = LanguageHead(
        Qwen2ForCausalLM(Qwen2Config(**known, rope_parameters={"rope_type": "default", "rope_theta": config["rope_theta"]})),
        lora_rank=lora["r"],
        lora_alpha=lora["alpha"],
    ).eval()
    state = {k.removeprefix(BASE): v for k, v in released.under(prefix).items() if k.startswith(BASE)}
    missing, unexpected = head.model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name == "lm_head.weight" or "lora_" in name for name in missing)
    return head


def collate(released, blocks: dict[str, str]) -> Batch:
    """The fixture's token lists through our collation, with slots for their placeholders."""
    c, rows = released.config, []
    slot_of = {c["placeholders"][theirs]: SLOT_IDS[ours] for theirs, ours in blocks.items()}
    count = sum(name.startswith("in.prompt_ids_") for name in released.tensors)
    for i in range(count):
        prompt = [slot_of.get(token, token) for token in released.tensors[f"in.prompt_ids_{i}"].tolist()]
        rows.append(([c["bos"], *prompt], [*released.tensors[f"in.target_ids_{i}"].tolist(), c["eos"]]))
    ids, labels, mask = pad(rows, c["pad"], masks_end=True)
    slots = {name: (ids == slot).any(1) for name, slot in SLOT_IDS.items()}
    return Batch(ids, mask, labels, {}, slots)


def check_collated(released, batch: Batch, blocks: dict[str, str]) -> None:
    theirs = released.tensors["collated.input_ids"].clone()
    for name, ours in blocks.items():
        theirs[theirs == released.config["placeholders"][name]] = SLOT_IDS[ours]
    assert torch.equal(batch.input_ids, theirs)
    assert torch.equal(batch.labels, released.tensors["collated.labels"])
    assert torch.equal(batch.attention_mask, released.tensors["collated.attention_mask"].bool())


def test_splice(released_splice, blocks):
    released, tensors = released_splice, released_splice.tensors
    head = build_language(released, "param.")
    missing_lora = [k for k, v in head.model.named_parameters() if "lora_" in k and f"param.{BASE}{k}" not in tensors]
    assert not missing_lora
    batch = collate(released, blocks)
    check_collated(released, batch, blocks)
    given = {name: tensors[f"in.embeds_{name}"].requires_grad_() for name in blocks if f"in.embeds_{name}" in tensors}
    tokens = {blocks[name]: value for name, value in given.items()}

    released.close(head.splice(batch.input_ids, tokens, batch.slots), "out.inputs_embeds")
    hidden, _, rows = head.supervised(batch, tokens)
    logits = head.logits(hidden)
    released.close(logits, "out.sup_logits")
    index = tensors["out.sup_index"]
    assert torch.equal(rows, index[:, 0])
    assert torch.equal((batch.labels[:, 1:] != -100).nonzero(), index)
    loss = head.loss(batch, tokens)
    assert_close(loss.row_sums, torch.zeros(len(batch)).index_add(0, rows, tensors["out.sup_nll"]), atol=1e-2, rtol=1e-3)
    released.close(loss.loss, "out.loss")

    loss.loss.backward()
    for name, value in given.items():
        assert value.grad is not None
        released.close(value.grad, f"grad.{name}")
    for name, norm in released.described["grad_norms"].items():
        gradient = head.model.get_parameter(name.removeprefix(BASE)).grad
        assert gradient is not None
        assert float(gradient.norm()) == pytest.approx(norm, rel=1e-3)


def build_whole(released) -> NanoEmoX:
    """The fixture's model: its sizes, its frozen weights, nothing learned yet."""
    c = released.config
    visual = CLIPVisionModel(CLIPVisionConfig(**c["clip_vision"]))
    speech = HubertModel(HubertConfig(**c["hubert"]))
    visual.load_state_dict(released.under("frozen.visual_encoder.model.vision_model."))
    speech.load_state_dict(released.under("frozen.acoustic_encoder.model."))
    q, tokens = c["qformer"], c["num_tokens"]
    config = ModelConfig(
        frame_size=c["clip_vision"]["image_size"],
        tokens={"visual": tokens["video"], "speech": tokens["audio"], "face": tokens["face"], "fusion": tokens["multi"]},
        qformer=QFormerConfig(q["hidden_size"], q["num_hidden_layers"], q["num_attention_heads"], q["intermediate_size"]),
        face=FaceConfig(c["facial"]["num_heads"], c["facial"]["proj_hidden"]),
        fusion=FusionConfig(c["fusion"]["hidden_dim"], c["fusion"]["num_heads"]),
    )
    widths = {"visual": q["encoder_width"], "speech": q["encoder_width"], "face": c["facial"]["fused_dim"]}
    towers = {
        "visual": VisualEncoder(visual, size=c["clip_vision"]["image_size"]),
        "speech": SpeechEncoder(speech, normalise="batch"),
    }
    return NanoEmoX(config, build_language(released, "frozen."), widths, towers).eval()


def test_end_to_end(released_e2e, blocks):
    """Released-format checkpoint in, frames and waveforms in: the released tokens, embeddings, logits and loss out."""
    released, tensors = released_e2e, released_e2e.tensors
    model = build_whole(released)
    imported = import_released(released.path.with_name(released.described["checkpoint"]), model)
    assert imported.phase == PHASES[released.described["phase"]]
    assert imported.head_difference == 0
    assert len(imported.state) + len(imported.unneeded) == len(released.described["checkpoint_keys"])
    model.init_from(imported.state, "the released checkpoint")
    network = FaceNetwork(depths=(1, 1, 1, 1)).eval()
    network.load_state_dict(released.under("frozen.facial_encoder.facexformer."), strict=False)

    frames, clips = tensors["in.frames_uint8"].movedim(1, 2), tensors["in.waveform"].flatten(2)
    assert model.visual_encoder is not None
    assert model.speech_encoder is not None
    seen, heard = model.visual_encoder(frames), model.speech_encoder(clips)
    released.close(seen["last"], "out.frame_features")
    released.close(heard["last"], "out.audio_features")
    faces = network.fuse([tensors[f"in.map{i}"] for i in range(4)]).unflatten(0, frames.shape[:2])
    features = {
        "visual.last": seen["last"], "speech.last": heard["last"], "face.last": faces, "fusion.visual": seen["scales"],
        "fusion.speech": heard["scales"],
    }  # fmt: skip
    batch = collate(released, blocks)
    batch = replace(batch, features={k: v for k, v in features.items() if batch.slots[k.split(".")[0]].any()})
    check_collated(released, batch, blocks)
    embedded = model.embed(batch)
    assert set(embedded.tokens) == {name for name, rows in batch.slots.items() if rows.any()}
    for theirs, ours in blocks.items():
        if ours in embedded.tokens:
            released.close(embedded.tokens[ours], f"out.{theirs}")
    released.close(model.language.splice(batch.input_ids, embedded.tokens, batch.slots), "out.inputs_embeds")
    logits = model.language.logits(model.language.supervised(batch, embedded.tokens)[0])
    released.close(logits, "out.sup_logits")
    with torch.no_grad():
        loss, _ = model(batch)
    assert float(loss.loss) == pytest.approx(float(tensors["out.loss"]), abs=released.described["tolerance"]["loss_atol"])
