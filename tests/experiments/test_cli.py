"""The command line: errors of use are one clear message, and `--help` is quick to import."""

import subprocess
import sys


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "experiments.cli", *arguments], capture_output=True, text=True, timeout=120)


def test_an_unknown_key_is_named_with_the_nearest_one_and_no_traceback():
    done = run("config", "--preset", "tiny", "phases.phase2.optim.lrr=1e-5")
    assert done.returncode == 2
    assert "did you mean phases.phase2.optim.lr?" in (done.stdout + done.stderr).replace("\n", " ")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_length_for_a_plan_starts_no_training():
    done = run("train", "--tokens", "360")
    assert done.returncode == 2
    assert "for --plan" in done.stdout + done.stderr


def test_help_lists_the_commands_without_importing_torch():
    code = "import sys; sys.argv=['nano-emox','--help']\ntry:\n from experiments.cli import main; main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for command in ("train", "features", "evaluate", "predict", "doctor"):
        assert command in done.stdout
