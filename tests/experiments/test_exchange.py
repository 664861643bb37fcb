"""Export of a run, import of a released checkpoint, and what `info` says of both, through the command line."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from experiments.ask import ask
from experiments.assembly import make_model
from experiments.cli import app
from nano_emox.checkpoints import learned_names, released_name
from nano_emox.config import ConfigError, save
from nano_emox.pretrained import read_state


def run(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture(scope="module")
def finished(make_config, tmp_path_factory):
    """What a run leaves behind: its configuration, a boundary checkpoint and scores."""
    output = tmp_path_factory.mktemp("runs") / "toy"
    config = make_config(output)
    model = make_model(config)
    own = dict(model.named_parameters())
    state = {name: own[name].detach() + 0.01 for name in [*learned_names(own), "facial_adapter.positions.weight"]}
    save(config, output / "config.yaml")
    (output / "scores").mkdir()
    (output / "scores" / "phase3.json").write_text(json.dumps({"scores": {"mir.waf": 0.25}}))
    save_file(state, output / "phase3.safetensors")
    return output


def test_a_run_is_exported_described_and_answers_from_its_folder(finished, tmp_path, write_clip, capsys):
    folder = tmp_path / "out"
    assert "phase3" in run("export", finished, "--out", folder)
    said = run("info", folder)
    for part in ("phase3", "mir.waf", "0.2500", "MIntRec2.0", "language (LoRA)", "make backbones"):
        assert part in said, said
    state = load_file(finished / "phase3.safetensors")
    back = read_state(folder)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], value) for name, value in state.items())

    clip = write_clip(tmp_path / "clip.mp4", size=(64, 64))
    answers = []
    for source in (finished, folder):
        capsys.readouterr()
        ask(clip, task="mer", subtitle="Hello.", candidates=("a", "b"), as_json=True, run=source, overrides=[])
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]


def test_a_merged_export_has_no_adapter(finished, tmp_path):
    run("export", finished, "--out", tmp_path / "out", "--merge")
    assert (tmp_path / "out" / "language" / "model.safetensors").is_file()
    assert not (tmp_path / "out" / "adapter").exists()


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no run"):
        run("export", tmp_path, "--out", tmp_path / "out")


def test_a_released_checkpoint_becomes_a_folder(finished, make_config, tmp_path):
    config = make_config(tmp_path, "model.face.positions=false")
    save(config, tmp_path / "tiny.yaml")
    own = dict(make_model(config).named_parameters())
    released = {released_name(name): own[name].detach() for name in learned_names(own)}
    released["image_llama_proj.bias"] = torch.zeros(3)
    torch.save({"model": released}, tmp_path / "released.pth")
    folder = tmp_path / "folder"
    said = run("import", tmp_path / "released.pth", "--out", folder, "--preset", tmp_path / "tiny.yaml")
    assert "projects single images" in said
    back = read_state(folder)
    assert all(torch.equal(back[name], released[released_name(name)]) for name in back)
    assert "imported from released.pth" in run("info", folder)
