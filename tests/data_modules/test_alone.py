"""`data_modules` in somebody else's project: none of the model's libraries, none of the model's code."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from data_modules.fixtures.catalogue import fixtures_of, write_fixture

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "docs/examples/crema_d_classifier.py"
BLOCK = """
import runpy, sys
from importlib.machinery import PathFinder
class Without:
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent} else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without() if finder is PathFinder else finder for finder in sys.meta_path]
"""
MODEL = ("transformers", "peft", "wandb", "tokenizers", "torchvision", "torchaudio", "huggingface_hub", "pandas", "sklearn")


def alone(code: str, folder: Path, *arguments: str, absent: tuple[str, ...] = MODEL) -> subprocess.CompletedProcess[str]:
    """Run code in another folder and process, where some packages are not to be had."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK.replace("{absent}", repr(set(absent))) + code, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, env={"PYTHONPATH": str(REPOSITORY), "HOME": str(folder)},
    )  # fmt: skip


def test_every_public_name_is_there_without_the_models_libraries(tmp_path: Path):
    code = """
from data_modules import AvaMERG
import data_modules, nano_emox.metrics, nano_emox.config, experiments.configuration
print(AvaMERG.dataset, len([getattr(data_modules, name) for name in data_modules.__all__]))
"""
    done = alone(code, tmp_path)
    assert done.stdout.split()[:1] == ["AvaMERG"], done.stderr
    assert int(done.stdout.split()[1]) > 50


def test_fifteen_lines_in_another_folder_train_a_classifier_of_their_own(tmp_path: Path):
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.strip() and not line.strip().startswith(('"""', "#"))]
    assert len(lines) <= 15
    write_fixture(fixtures_of("CREMA-D")[0], tmp_path / "data")
    code = f"""
import torch
sys.argv = ["example", "data"]
torch.manual_seed(0)
there = runpy.run_path({str(EXAMPLE)!r})
model, data = there["model"], there["data"]
batches = list(data.train_dataloader())
with torch.no_grad():
    trained = sum(float(model.training_step(b, 0)) for b in batches) / len(batches)
    fresh = sum(float(there["Classifier"]().training_step(b, 0)) for b in batches) / len(batches)
print(fresh, trained, data.skips.seen, "nano_emox" in sys.modules)
"""
    done = alone(code, tmp_path)
    assert done.returncode == 0, done.stderr
    fresh, trained, seen, model_imported = done.stdout.splitlines()[-1].split()
    assert float(trained) < float(fresh) - 0.1
    assert int(seen) > 20
    assert model_imported == "False"


def test_a_command_that_needs_the_model_says_so_in_one_sentence_and_those_about_data_do_not(tmp_path: Path):
    code = """
from experiments.cli import main
for arguments in (["data", "list"], ["config"], ["train"]):
    sys.argv = ["nano-emox", *arguments]
    try:
        main()
    except SystemExit as end:
        print("status", end.code)
"""
    done = alone(code, tmp_path)
    assert done.returncode == 0, done.stderr
    listed, config, train, _ = done.stdout.split("status ")
    assert "CREMA-D" in listed
    assert '"preset": "tiny"' in config
    assert (config[0], train[0], done.stdout.strip()[-1]) == ("0", "0", "2")
    assert " ".join(train[1:].split()) == (
        "nano-emox: this command needs transformers, which is not installed: pip install 'nano-emox[model]'"
        " (data sets and metrics do without)"
    )
    assert "Traceback" not in done.stderr


def test_sound_that_must_be_resampled_names_torchaudio_and_the_way_without(tmp_path: Path):
    code = """
import wave
with wave.open("a.wav", "wb") as file:
    file.setparams((1, 2, 44_100, 0, "NONE", "")); file.writeframes(bytes(2 * 44_100))
from data_modules import read_audio
print(len(read_audio("a.wav", resampler="ffmpeg")))
read_audio("a.wav")
"""
    done = alone(code, tmp_path)
    assert done.stdout.strip() == "16000"
    assert "pip install torchaudio" in done.stderr
    assert "resampler='ffmpeg'" in done.stderr


def test_the_declared_dependencies_are_those_that_are_needed():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    core = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert not core & set(MODEL)
    assert {"torch", "lightning", "av", "numpy", "safetensors"} <= core
    assert {"transformers", "peft", "wandb"} <= {each.partition(">")[0] for each in project["optional-dependencies"]["model"]}
