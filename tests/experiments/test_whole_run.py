"""The whole of Nano-EmoX on two steps a phase: the same code path as the paper's, from corpus to results.json."""

import json
import shutil

import pytest
import torch

from experiments.ask import ask
from experiments.assembly import make_data, make_model, make_prompts, phases_of
from experiments.doctor import examine
from experiments.evaluate import evaluate_phase
from experiments.extract import extract
from experiments.report import report
from experiments.train import train
from nano_emox.config import ConfigError

PHASES = ("phase1_speech", "phase1_visual", "phase2", "phase3")
PARTS = {
    "phase1_speech": {"speech_adapter"},
    "phase1_visual": {"visual_adapter", "facial_adapter"},
    "phase2": {"speech_adapter", "visual_adapter", "facial_adapter", "fusion"},
    "phase3": {"speech_adapter", "visual_adapter", "facial_adapter", "fusion", "language"},
}


@pytest.fixture(scope="module")
def one_by_one(world, make_config):
    """The phases, each in a run of its own, as `make phase1 phase2 phase3` does."""
    output = world / "one_by_one"
    for phase in PHASES:
        train(make_config(output, f"run=[{phase}]"))
    return output


def weights(output, phase):
    return torch.load(output / f"{phase}.ckpt", weights_only=True)["state_dict"]


def test_one_process_with_all_phases_gives_the_weights_of_the_phases_one_by_one(world, make_config, one_by_one):
    train(make_config(world / "p2e"))
    together, apart = weights(world / "p2e", "phase3"), weights(one_by_one, "phase3")
    assert together.keys() == apart.keys()
    for name, value in together.items():
        assert torch.equal(value, apart[name]), name


def test_each_phase_changes_its_own_parameters_and_nothing_else(make_config, one_by_one, world):
    fresh = make_model(make_config(world / "fresh"))
    before = {name: parameter.detach().clone() for name, parameter in fresh.named_parameters()}
    for phase in PHASES:
        after = before | {name: value for name, value in weights(one_by_one, phase).items() if name in before}
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert {name.split(".")[0] for name in changed} == PARTS[phase]
        assert all("lora_" in name for name in changed if name.startswith("language"))
        before = after


def test_a_boundary_checkpoint_holds_what_was_learned_not_what_was_downloaded(one_by_one):
    for phase in PHASES:
        names = weights(one_by_one, phase)
        assert not any(name.split(".")[0].endswith("_encoder") for name in names)
        assert all("lora_" in name for name in names if name.startswith("language"))


def test_training_with_the_store_off_gives_the_same_losses(world, make_config):
    losses = {}
    for features in ("stored", "online"):
        config = make_config(world / features, "run=[phase2]", f"data.features={features}")
        model = make_model(config, online=features == "online")
        data = make_data(config, phases_of(config), make_prompts(config))
        data.setup("fit")
        model.eval()
        with torch.no_grad():
            losses[features] = [model(batch)[0].loss.item() for batch in data.current.train_dataloader()]
    assert len(losses["stored"]) == 2
    assert losses["online"] == pytest.approx(losses["stored"], abs=2e-5)


def test_a_second_extraction_does_nothing(world, make_config):
    target = extract(make_config(world / "again"))
    assert [entry["new"] for entry in json.loads(target.read_text()).values()] == [0, 0]


def test_the_report_has_every_score_in_its_place(world, make_config, one_by_one, monkeypatch):
    monkeypatch.chdir(world)  # outputs/latest is beside the run
    config = make_config(one_by_one)
    for phase in ("phase1", "phase2", "phase3"):
        evaluate_phase(config, phase)
    results = json.loads(report(config).read_text())
    assert set(results["scores"]) == {"phase1", "phase2", "phase3"}
    wanted = {"mer.hit_rate", "msa.waf", "mir.waf", "ov_mer.set_f", "erg.emotion_accuracy", "parsed"}
    for scores in results["scores"].values():
        assert wanted <= set(scores)
        assert all(value is None or 0 <= value <= 1 for value in scores.values())
    assert set(results["ablation"]) == {"text", "speech", "face", "visual", "no_fusion", "all"}
    assert all("mer.hit_rate" in scores for scores in results["ablation"].values())
    assert results["seed"] == 5
    assert results["synthetic"]
    pictures = {path.stem for path in (one_by_one / "pictures").iterdir()}
    assert {"training", "gates", "confusion", "answers", "modalities", "scores_by_phase"} <= pictures


def test_an_evaluation_that_was_cut_answers_only_what_is_missing(world, make_config, one_by_one):
    config = make_config(one_by_one)
    whole = evaluate_phase(config, "phase2")
    log = next((one_by_one / "predictions").glob("phase2-*.jsonl"))
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]) + lines[3][:20])  # killed while it wrote the fourth
    assert evaluate_phase(config, "phase2") == whole
    assert log.read_bytes().splitlines(keepends=True)[:3] == lines[:3]


def test_by_likelihood_every_closed_answer_is_a_candidate_and_keeps_a_log_of_its_own(world, make_config, one_by_one):
    greedy = evaluate_phase(make_config(one_by_one), "phase2", ["MER2023"])
    logs = set((one_by_one / "predictions").glob("phase2-*.jsonl"))
    chosen = evaluate_phase(make_config(one_by_one, "evaluation.decode=likelihood"), "phase2", ["MER2023"])
    assert chosen.keys() == greedy.keys()
    (log,) = set((one_by_one / "predictions").glob("phase2-*.jsonl")) - logs
    answers = [json.loads(line) for line in log.read_text().splitlines()]
    assert answers
    assert all(answer["parsed"] and answer["text"] == f"The most likely label is {answer['label']}." for answer in answers)


FILES = {
    "phone.mp4": ({"size": (1920, 1080)}, ["fusion", "speech", "face", "visual"]),
    "clip.webm": ({"codec": "libvpx-vp9", "sound": "libopus", "size": (320, 240)}, ["fusion", "speech", "face", "visual"]),
    "silent.mp4": ({"sound": None, "size": (640, 360)}, ["face", "visual"]),
    "voice.wav": ({"codec": None, "sound": "pcm_s16le"}, ["speech"]),
}


@pytest.mark.parametrize("name", FILES)
def test_predict_answers_about_files_from_elsewhere_and_says_what_it_used(name, world, one_by_one, write_clip, capsys):
    settings, modalities = FILES[name]
    clip = write_clip(world / name, **settings)
    for task in ("mer", "erg"):
        ask(clip, task=task, subtitle=None, candidates=(), as_json=True, run=one_by_one, overrides=[])
        said = json.loads(capsys.readouterr().out)
        assert said["modalities"] == modalities
        assert said["task"] == task
        assert isinstance(said["text"], str)
    ask(
        clip,
        task="mir",
        subtitle="Can you help me?",
        candidates=("Thank", "Ask for help"),
        as_json=False,
        run=one_by_one,
        overrides=[],
    )
    last = capsys.readouterr().out.rstrip().splitlines()
    assert any("text" in line and modalities[-1] in line for line in last[-2:])


def test_what_is_missing_is_named(world, make_config, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"phase1_speech\.ckpt.*make phase1"):
        train(make_config(tmp_path, "run=[phase2]"))
    with pytest.raises(ConfigError, match=r"data\.root"):
        train(make_config(tmp_path, f"data.root={tmp_path / 'nowhere'}"))
    with pytest.raises(ConfigError, match="holds no finished run"):
        ask(tmp_path / "x.mp4", task="mer", subtitle=None, candidates=(), as_json=True, run=tmp_path / "none", overrides=[])
    shutil.copytree(world / "weights", tmp_path / "weights")
    (tmp_path / "weights" / "facexformer" / "model.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"face: .*model\.pt"):
        train(make_config(tmp_path, f"backbones.root={tmp_path / 'weights'}", "run=[phase1_speech]"))


def test_the_doctor_finds_what_there_is(world, make_config, capsys):
    assert examine(make_config(world / "doctor")) == 0
    out = capsys.readouterr().out
    assert "MER-Caption+" in out
    assert "torch" in out
