"""Several ranks: started as torchrun and as SLURM start them, moved over phase boundaries, sharded, extracting together."""

import json
import shutil
import socket
from collections import defaultdict

import pytest
import torch

from nano_emox.checkpoint_io import WEIGHTS, read_weights
from tests.faults import child
from tests.faults.runs import Life, Run
from tests.faults.test_features import contents

STEPS = [f"phases.{phase}.{key}" for phase in child.PHASES for key in ("epochs=2", "steps_per_epoch=2")]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def torchrun(nodes: int = 1, per_node: int = 2) -> list[dict[str, str]]:
    """The environment of every process, as `torchrun` sets it."""
    port = free_port()
    return [
        {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": port, "GROUP_RANK": str(rank // per_node),
            "RANK": str(rank), "LOCAL_RANK": str(rank % per_node), "WORLD_SIZE": str(nodes * per_node),
            "LOCAL_WORLD_SIZE": str(per_node),
        }
        for rank in range(nodes * per_node)
    ]  # fmt: skip


def slurm(nodes: int = 2, per_node: int = 1) -> list[dict[str, str]]:
    """The environment of every process, as `srun` sets it."""
    port = free_port()
    return [
        {
            "SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "p2e", "SLURM_NTASKS": str(nodes * per_node),
            "SLURM_NTASKS_PER_NODE": str(per_node), "SLURM_NNODES": str(nodes), "SLURM_NODELIST": "127.0.0.1",
            "SLURM_NODEID": str(rank // per_node), "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank % per_node),
            "MASTER_PORT": port,
        }
        for rank in range(nodes * per_node)
    ]  # fmt: skip


def all_ranks(run: Run, environments, *more: str, **options) -> None:
    """One life of the run, in as many processes."""
    lives = [run.live(*more, env=environment, **options) for environment in environments]
    for life in lives:
        assert life.wait(400) == 0, life.said[-3000:]


def weights(run: Run, phase: str) -> dict[str, torch.Tensor]:
    return read_weights(run.output / f"{phase}{WEIGHTS}")


@pytest.fixture(scope="module")
def two_ranks(make_run, world):
    """All phases in one fit, on two ranks, as torchrun starts them; without clipping, whose norm depends on the order of sums."""
    run = make_run(world / "two_ranks", *STEPS, "trainer.gradient_clip_val=0")
    all_ranks(run, torchrun(), "trainer.devices=2", inject=f"compare_ranks:{world / 'differences.jsonl'}")
    return run


def test_ranks_never_differ_over_any_phase_boundary(two_ranks, world, record):
    rows = [json.loads(line) for line in (world / "differences.jsonl").read_text().splitlines()]
    assert [row["phase"] for row in rows if row["when"] == "batch"] == [phase for phase in child.PHASES for _ in range(4)]
    largest = max(row["largest"] for row in rows)
    assert largest == 0.0
    record("two ranks over every phase boundary (torchrun, DDP)", "4 phases, 3 boundaries", 3, f"largest difference {largest}")


def test_one_and_two_ranks_see_the_same_samples(two_ranks, make_run, world, record):
    one = make_run(world / "one_rank", *STEPS, *[f"phases.{phase}.batch_size=4" for phase in child.PHASES])
    one.finish()
    seen = []
    for run in (one, two_ranks):
        batches = defaultdict(list)
        for row in run.drawn():
            batches[row["phase"], row["step"]] += row["samples"]
        seen.append({step: sorted(samples) for step, samples in batches.items()})
    assert seen[0] == seen[1]
    draws = sum(map(len, seen[0].values()))
    assert draws == 4 * 4 * 4
    accounts = [
        [json.loads(line) for line in (run.output / "accounting.jsonl").read_text().splitlines()] for run in (one, two_ranks)
    ]
    for a, b in zip(*accounts, strict=True):
        assert {**a, "batches": 0} == {**b, "batches": 0}
    record("one rank or two", "the same global batch in every step", draws, "the same samples, and equal accounts")


def test_sharded_one_phase_a_process_gives_the_weights_of_ddp(two_ranks, make_run, world, record, times):
    phases = child.PHASES[times(3, 0) :]
    largest = 0.0
    for phase in phases:
        run = make_run(world / "sharded", *STEPS, "trainer.gradient_clip_val=0", "trainer.strategy=fsdp2", f"run=[{phase}]")
        run.output.mkdir(exist_ok=True)
        for file in two_ranks.output.glob(f"phase*{WEIGHTS}"):
            if file.stem < phase:
                shutil.copy(file, run.output / file.name)
        all_ranks(run, torchrun(), "trainer.devices=2")
        ddp, sharded = weights(two_ranks, phase), weights(run, phase)
        assert sharded
        assert sharded.keys() <= ddp.keys()  # a process with all phases has learned what came before this one, too
        largest = max(largest, *(float((ddp[name] - value).abs().max()) for name, value in sharded.items()))
    assert largest < 1e-6  # sums in another order: sharded ranks keep no prefixes
    record("sharded (FSDP2) instead of DDP", "two ranks, one phase a process", len(phases), f"largest difference {largest}")


def test_several_phases_in_one_sharded_process_are_refused(make_run, world):
    life = make_run(world / "refused", "trainer.strategy=fsdp2").live()
    assert life.wait() == 2
    assert "run one phase a process" in " ".join(life.said.split())


@pytest.mark.parametrize("environments", [slurm(), torchrun(2, 1)], ids=["slurm", "torchrun"])
def test_two_nodes_fill_one_store(environments, world, make_run, record, times):
    """Each clip is extracted once, by one of the two, and the store equals that of one process."""
    name = "slurm" if "SLURM_PROCID" in environments[0] else "torchrun"
    if name == "torchrun" and times(1, 2) == 1:
        pytest.skip("in the long form")
    options = [o for o in child.overrides(world) if not o.startswith("cache=")]
    store = world / f"store_{name}"
    arguments = ["features", "--preset", "tiny", *options, f"cache={store}", f"output={world / name}"]
    lives = [
        Life(
            child.command, [*arguments, "trainer.devices=1", "trainer.num_nodes=2"], "", "", env=env,
            output=world / f"{name}{n}.txt",
        )
        for n, env in enumerate(environments)
    ]  # fmt: skip
    for life in lives:
        assert life.wait(300) == 0, life.said[-3000:]
    alone, together = contents(world / "features"), contents(store)
    assert alone.keys() == together.keys()
    for space, clips in alone.items():
        assert clips.keys() == together[space].keys()
        for key, features in clips.items():
            assert features.keys() == together[space][key].keys()
            assert all(torch.equal(value, together[space][key][name]) for name, value in features.items())
    shards = [json.loads(path.read_text()) for path in store.glob("*/*.json") if path.name != "space.json"]
    written = sum(len(shard["keys"]) + len(shard["absent"]) for shard in shards)
    assert written == sum(map(len, alone.values()))
    record(f"extraction by two nodes ({name}) into one store", "2 processes", written, "each clip once, equal to one process")
