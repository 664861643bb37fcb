"""The whole model: online towers against stored features, what trains, what a checkpoint holds, what is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.testing import assert_close
from torch.utils.data import DataLoader

from nano_emox.backbones import load_model, load_towers, locate, parameter_table
from nano_emox.config import BackboneConfig, ModelConfig, OptimConfig
from nano_emox.model import NanoEmoX
from nano_emox.optimisation import Training, adamw, schedule

HAS = [{"visual", "face"}, {"speech", "face", "visual", "fusion"}, {"speech"}, set(), {"fusion"}]
OPTIM = OptimConfig(lr=1e-3, min_lr=1e-4, warmup_lr=1e-5, warmup_steps=2)


@pytest.fixture
def model(backbones, config) -> NanoEmoX:
    torch.manual_seed(0)
    return load_model(backbones, config).eval()


@pytest.fixture
def towers(backbones, config):
    return load_towers(backbones, config)


@pytest.fixture
def two_batches(towers, media, make_batch):
    """The same clips with media, and with the features that the towers make of them."""
    clip = media(len(HAS), seed=3)
    sees = torch.tensor([bool(h & {"visual", "face", "fusion"}) for h in HAS])
    hears = torch.tensor([bool(h & {"speech", "fusion"}) for h in HAS])
    online = make_batch(HAS, {"frames": clip["frames"][sees], "clips": clip["clips"][hears]})
    outs = {m: towers[m](clip[towers[m].media]) for m in towers}
    rows = online.slots
    stored = {f"{m}.last": outs[m]["last"][rows[m]] for m in towers} | {
        f"fusion.{m}": outs[m]["scales"][rows["fusion"]] for m in ("visual", "speech")
    }
    return online, replace(online, features=stored)


def test_stored_features_and_online_towers_give_the_same_loss(model, towers, two_batches):
    online, stored = two_batches
    with torch.no_grad():
        expected, gates = model(stored)
        with pytest.raises(ValueError, match="no visual tower is attached"):
            model(online)
        for modality, tower in towers.items():
            model.attach(modality, tower)
        found, online_gates = model(online)
    assert_close(found.loss, expected.loss, atol=1e-5, rtol=1e-5)
    assert_close(found.row_sums, expected.row_sums, atol=1e-4, rtol=1e-5)
    assert_close(online_gates, gates, atol=1e-5, rtol=1e-5)
    assert_close(gates.sum(1), torch.ones(2))


def test_a_rows_loss_does_not_depend_on_the_modalities_of_other_rows(model, two_batches):
    _, stored = two_batches
    with torch.no_grad():
        together, _ = model(stored)
        row = slice(2, 3)  # speech only
        index = int(stored.slots["speech"][:2].sum())
        keep = stored.attention_mask[2]
        alone = replace(
            stored, input_ids=stored.input_ids[row, keep], labels=stored.labels[row, keep],
            attention_mask=stored.attention_mask[row, keep], slots={k: v[row] for k, v in stored.slots.items()},
            features={"speech.last": stored.features["speech.last"][index : index + 1]}, items=stored.items[row],
        )  # fmt: skip
        single, _ = model(alone)
    assert_close(single.row_sums[0], together.row_sums[2], atol=1e-4, rtol=1e-5)


def test_a_block_without_features_is_named(model, make_batch):
    with pytest.raises(ValueError, match="1 rows have the block 'face'"):
        model(make_batch([{"face"}], {}))


def trainer_for(tmp_path, **kwargs) -> Trainer:
    return Trainer(
        accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
        **{"logger": False, "default_root_dir": tmp_path, **kwargs},
    )  # fmt: skip


def loader(stored) -> DataLoader:
    return DataLoader([stored] * 3, batch_size=None)


def test_training_moves_what_trains_and_nothing_else(model, towers, two_batches, tmp_path):
    online, _ = two_batches
    for modality, tower in towers.items():
        model.attach(modality, tower)
    model.requires_grad_(False)
    model.speech_adapter.requires_grad_(True)
    model.phase = Training("phase1_speech", OPTIM, 3)
    before = {name: value.clone() for name, value in model.named_parameters()}

    logger = CSVLogger(tmp_path)
    trainer = trainer_for(tmp_path, max_epochs=1, logger=logger, enable_checkpointing=False)
    trainer.fit(model.train(), loader(online), loader(online))

    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith("speech_adapter.") for name in moved)
    assert {"train/loss", "train/loss_mer", "train/gate_0", "val/loss", "val/loss_mir"} <= set(trainer.logged_metrics)
    assert model.visual_adapter.training is False
    assert model.language.training is False


def test_a_checkpoint_holds_what_was_learned_and_resumes(backbones, config, two_batches, tmp_path):
    _, stored = two_batches

    def fresh() -> NanoEmoX:
        torch.manual_seed(7)
        model = load_model(backbones, replace(config, face=replace(config.face, dropout=0.0)))
        model.requires_grad_(False)
        model.facial_adapter.requires_grad_(True)
        model.phase = Training("phase1_visual", OPTIM, 6)
        return model

    first = fresh()
    keep = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    trainer_for(tmp_path, max_epochs=2, callbacks=[keep]).fit(first, loader(stored))
    content = torch.load(tmp_path / "epoch=0.ckpt", weights_only=True)
    assert {name.split(".")[0] for name in content["state_dict"]} == {"facial_adapter"}

    second = fresh()
    trainer_for(tmp_path, max_epochs=2, enable_checkpointing=False).fit(
        second, loader(stored), ckpt_path=tmp_path / "epoch=0.ckpt", weights_only=True
    )
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))

    later = fresh()
    later.init_from(content["state_dict"], "epoch=0.ckpt")
    later.facial_adapter.requires_grad_(False)
    later.fusion.requires_grad_(True)
    later.phase = Training("phase2", OPTIM, 3)
    later.configure_optimizers()
    assert {name.split(".")[0] for name in later.state_dict()} == {"facial_adapter", "fusion"}

    with pytest.raises(ValueError, match=r"other\.ckpt: 1 parameters are unknown"):
        later.init_from({"fusion.nonsense": torch.zeros(1)}, "other.ckpt")
    third = fresh()
    third.fusion.requires_grad_(True)
    with pytest.raises(ValueError, match="lacks"):
        trainer_for(tmp_path, max_epochs=2, enable_checkpointing=False).fit(
            third, loader(stored), ckpt_path=tmp_path / "epoch=0.ckpt", weights_only=True
        )


def test_generate_answers_every_row(model, two_batches, make_batch):
    _, stored = two_batches
    prompts = make_batch(HAS, stored.features, generate=True)
    answers = model.generate(prompts, max_new_tokens=4)
    assert answers.shape[0] == len(HAS)
    assert 1 <= answers.shape[1] <= 4


def test_schedule_warms_up_and_ends_at_min_lr():
    factor = schedule(OptimConfig(lr=3e-4, min_lr=1e-4, warmup_lr=1e-6, warmup_steps=10), 100)
    rates = [3e-4 * factor(step) for step in range(101)]
    assert rates[0] == pytest.approx(1e-6)
    assert rates[10] == pytest.approx(3e-4)
    assert rates[100] == pytest.approx(1e-4)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_bias_and_norm_are_not_decayed(model):
    model.requires_grad_(False)
    model.fusion.requires_grad_(True)
    groups = adamw(model.named_parameters(), Training("phase2", OPTIM, 10))["optimizer"].param_groups
    assert [group["name"] for group in groups] == ["decay", "no_decay"]
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert all(p.ndim >= 2 for p in groups[0]["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(model.fusion.parameters()))


def test_the_papers_model_is_counted_without_weights():
    table = parameter_table("paper", ModelConfig())
    assert table["lora"] == 18_464_768  # as the released phase 3 trains
    assert table["language"] - table["lora"] == 1_543_714_304  # Qwen2.5-1.5B with tied embeddings
    assert table["visual_encoder"] == 303_179_776
    assert table["facial_encoder"] == 87_497_912
    assert table["total"] == sum(table[name] for name in table if name not in ("total", "lora"))
    # The paper says 2.2B. That is the language model, CLIP, HuBERT, adapters and fusion; with the face tower and LoRA, 2.3B.
    assert table["total"] - table["facial_encoder"] - table["lora"] == pytest.approx(2.2e9, rel=0.01)


def test_missing_backbones_are_all_named_with_their_source(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        locate(BackboneConfig(root=str(tmp_path)))
    message = str(caught.value)
    for part in ("openai/clip-vit-large-patch14", "chinese-hubert-large", "model.pt", "Qwen2.5-1.5B-Instruct", str(tmp_path)):
        assert part in message
