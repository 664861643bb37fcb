"""Which run goes on, which is refused, and how one starts over."""

import shutil
import signal

import pytest

from tests.faults.runs import assert_same


@pytest.fixture(scope="module")
def cut(make_run, world):
    """A run that was killed in phase 2."""
    run = make_run(world / "cut", "trainer.checkpoint_every_n_steps=2")
    life = run.live()
    life.until(lambda: run.draws_so_far() >= 20)
    life.signal(signal.SIGKILL)
    life.wait()
    return run


def copy_of(run, make_run, output):
    """The same run at another place."""
    shutil.copytree(run.output, output)
    other = make_run(output, *run.overrides)
    shutil.copy(run.draws, other.draws)
    return other


CHANGES = {
    "phases.phase2.optim.lr=5e-4": "phases.phase2.optim.lr: 0.001, now 0.0005",
    "trainer.gradient_clip_val=2.0": "trainer.gradient_clip_val: 1.0, now 2.0",
    "seed=6": "seed: 5, now 6",
    "phases.phase1_visual.batch_size=3": "phases.phase1_visual.batch_size: 2, now 3",
    "model.lora.rank=8": "model.lora.rank: 16, now 8",
}


def test_a_changed_run_is_refused_with_the_differences(cut, make_run, tmp_path, times, record):
    chosen = list(CHANGES.items())[: times(2, len(CHANGES))]
    run = copy_of(cut, make_run, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.output.rglob("*") if path.is_file()}
    for change, said in chosen:
        life = run.live(change)
        assert life.wait() == 2, life.said[-3000:]
        flat = " ".join(life.said.split())
        assert said in flat, flat[-2000:]
        assert "--fresh" in flat
    life = run.live(*(change for change, _ in chosen))
    assert life.wait() == 2
    assert all(said in " ".join(life.said.split()) for _, said in chosen)  # all of them at once
    assert {path: path.stat().st_mtime_ns for path in run.output.rglob("*") if path.is_file()} == before
    record(
        "resume after a change", ", ".join(change.partition("=")[0] for change, _ in chosen), len(chosen) + 1,
        "refused, exit 2, every difference with its old and new value; nothing on disk touched",
    )  # fmt: skip


def test_a_changed_data_set_is_refused(cut, make_run, tmp_path, world, record):
    run = copy_of(cut, make_run, tmp_path / "run")
    shutil.copytree(world / "data", tmp_path / "data")
    listing = tmp_path / "data" / "MIntRec" / "train.tsv"
    listing.write_text("".join(listing.read_text().splitlines(keepends=True)[:-1]))
    life = run.live(f"data.root={tmp_path / 'data'}")
    assert life.wait() == 2, life.said[-3000:]
    assert "training samples of phase2: " in life.said
    assert "training samples of phase1_speech" not in life.said  # another data set
    record("resume after a data set lost a sample", "MIntRec", 1, "refused, exit 2: `training samples of phase2`, `of phase3`")


def test_another_number_of_processes_is_refused(cut, make_run, tmp_path, record):
    run = copy_of(cut, make_run, tmp_path / "run")
    env = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0",
           "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29777", "TORCHELASTIC_RUN_ID": "faults"}  # fmt: skip
    life = run.live("trainer.devices='2'", env=env)
    assert life.wait() == 2, life.said[-3000:]
    assert "processes: 1, now 2" in life.said
    record("resume with another number of processes", "1, then 2", 1, "refused, exit 2: `processes: 1, now 2`")


def test_a_change_that_keeps_samples_and_arithmetic_goes_on_elsewhere_too(cut, whole, make_run, tmp_path, world, record):
    run = copy_of(cut, make_run, tmp_path / "moved")
    for part in ("data", "weights", "features"):
        (tmp_path / part).symlink_to(world / part)
    run.finish(
        "trainer.log_every_n_steps=3", "trainer.checkpoint_every_n_steps=7", "evaluation.limit=3", "data.workers=1",
        f"data.root={tmp_path / 'data'}", f"backbones.root={tmp_path / 'weights'}", f"cache={tmp_path / 'features'}",
    )  # fmt: skip
    assert_same(run, whole, logs=False)
    record(
        "resume in another directory, with other workers, logging and checkpoint intervals, data and weights moved",
        "phase2", 1, "goes on, bit-equal",
    )  # fmt: skip


def test_fresh_starts_over_and_moves_the_old_state_aside(cut, whole, make_run, tmp_path, record):
    run = copy_of(cut, make_run, tmp_path / "run")
    run.draws.unlink()
    old = sorted(path.name for path in run.checkpoints())
    (run.output / "wandb_run.json").write_text('{"id": "old"}')
    life = run.finish("--fresh")
    assert "starting over" in life.said
    aside = run.output / "aside" / "1"
    assert sorted(path.name for path in (aside / "resume" / "p2e").iterdir()) == old
    assert (aside / "phase1_speech.safetensors").is_file()
    assert {"config.yaml", "accounting.jsonl", "wandb_run.json"} <= {path.name for path in aside.iterdir()}
    assert not (run.output / "wandb_run.json").exists()
    assert run.drawn()[0]["batch"] == 0
    assert_same(run, whole)
    record(
        "--fresh on a killed run", "phase2", 1, "starts at the first batch, bit-equal to a new run; the old state is in aside/1"
    )


def test_phases_in_processes_of_their_own_go_on_too(whole, make_run, tmp_path, record):
    run = make_run(tmp_path / "run", "trainer.checkpoint_every_n_steps=2")
    kills = 0
    for phase in ("phase1_speech", "phase1_visual", "phase2", "phase3"):
        life = run.live(f"run=[{phase}]")
        goal = run.draws_so_far() + 5
        life.until(lambda goal=goal: run.draws_so_far() >= goal)
        life.signal(signal.SIGKILL)
        life.wait()
        kills += 1
        run.finish(f"run=[{phase}]")
    mine, theirs = run.weights(), whole.weights()
    # A branch of phase 1 on its own leaves its own part alone; one process for all had the other branch's by then.
    assert {name.split(".")[0] for name in theirs.keys() - mine.keys()} == {"phase1_visual: speech_adapter"}
    assert all(mine[name].equal(theirs[name]) for name in mine)
    settings = {(row["phase"], row["batch"] % 8): (row["trainable"], row["groups"], row["samples"]) for row in run.drawn()}
    assert settings == {
        (row["phase"], row["batch"] % 8): (row["trainable"], row["groups"], row["samples"]) for row in whole.drawn()
    }
    life = run.finish("run=[phase2]")  # done: nothing is trained again
    assert not [row for row in run.drawn() if row["life"] == life.process.pid]
    record(
        "SIGKILL in each phase, one process per phase (make phase1 phase2 phase3)", "mid-epoch", kills,
        "trainable names, optimizer groups and samples of every step identical; results bit-equal to one process for all",
    )  # fmt: skip

    run.finish("run=[phase1_speech]", "--fresh", "phases.phase1_speech.optim.lr=1e-3")
    life = run.live("run=[phase2]")
    assert life.wait() == 2, life.said[-3000:]
    assert "weights of phase1_speech: " in life.said
    record("phase 1 trained anew under a finished phase 2", "make phase2", 1, "refused: `weights of phase1_speech` differ")
