"""What starts a run: nothing heavy is imported before it is needed, and a tower that is known is not loaded again."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.assembly import space_of, spaces_of
from nano_emox.backbones import load_towers
from nano_emox.fingerprints import TowerFingerprints

HEAVY = ("torch", "transformers", "lightning", "peft", "av", "pandas", "wandb", "matplotlib", "omegaconf")


@pytest.mark.parametrize("work", ["import nano_emox", "import data_modules", "import callbacks, experiments", "HELP"])
def test_nothing_heavy_is_imported_for(work):
    run = "import runpy; sys.argv = ['nano-emox', '--help']; runpy.run_module('experiments.cli', run_name='__main__')"
    script = textwrap.dedent(f"""
        import sys
        try:
            {run if work == "HELP" else work}
        except SystemExit:
            pass
        found = [name for name in {HEAVY!r} if name in sys.modules]
        assert not found, found
    """)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_remembered_fingerprints_are_the_towers_own(make_config, tmp_path):
    config = make_config(tmp_path, f"cache={tmp_path / 'features'}")
    towers = load_towers(config.backbones, config.model)
    names = list(towers)
    for _ in range(2):
        spaces = spaces_of(config, names)
        assert {n: s.directory for n, s in spaces.items()} == {n: space_of(config, t).directory for n, t in towers.items()}


def test_a_known_tower_is_not_looked_at_until_its_settings_change(make_config, tmp_path):
    config = make_config(tmp_path)
    memory = tmp_path / "fingerprints.json"
    first = TowerFingerprints(memory).of(config.backbones, config.model, ["visual", "speech"])
    memory.write_text(memory.read_text().replace(first["visual"], "remembered"))
    assert TowerFingerprints(memory).of(config.backbones, config.model, ["visual"]) == {"visual": "remembered"}
    config.model.speech_layers = [3, 4, 5]
    other = TowerFingerprints(memory).of(config.backbones, config.model, ["visual", "speech"])
    assert other["visual"] == "remembered"
    assert other["speech"] != first["speech"]
    assert len(json.loads(memory.read_text())) == 3


def test_a_touched_file_is_looked_at_again(make_config, tmp_path):
    config = make_config(tmp_path)
    root = tmp_path / "weights"
    shutil.copytree(config.backbones.root, root)
    backbones = replace(config.backbones, root=str(root))
    memory = tmp_path / "fingerprints.json"
    first = TowerFingerprints(memory).of(backbones, config.model, ["visual"])
    place = root / "clip-vit-large-patch14" / "preprocessor_config.json"
    place.write_text(place.read_text().replace("0.4814", "0.4815"))
    assert TowerFingerprints(memory).of(backbones, config.model, ["visual"]) != first


def test_a_damaged_memory_costs_time_only(make_config, tmp_path):
    config = make_config(tmp_path)
    memory = tmp_path / "fingerprints.json"
    memory.write_text('{"half')
    found = TowerFingerprints(memory).of(config.backbones, config.model, ["visual"])
    assert found["visual"] == load_towers(config.backbones, config.model, ["visual"])["visual"].fingerprint()
