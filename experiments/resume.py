"""How a run goes on: which checkpoint it continues from, whether it is still the same run, and how it starts over."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from callbacks.resume import changes, generations
from data_modules.curriculum import CurriculumDataModule
from data_modules.durable import sweep
from data_modules.module import AffectDataModule
from experiments.accounting import AccountFile, read_accounts
from experiments.assembly import checkpoints_of
from experiments.logs import console
from nano_emox.checkpoint_io import CheckpointError, read_checkpoint
from nano_emox.config import ConfigError, ExperimentConfig
from nano_emox.identity import backbones_of, digest_of_file, settings_of


def resume_directory(config: ExperimentConfig, stage: str) -> Path:
    """Where the checkpoints of a stage's run lie."""
    return Path(config.output) / "resume" / stage


def identity_of(
    config: ExperimentConfig, phases: Sequence[str], data: CurriculumDataModule, given: Sequence[Path], processes: int
) -> dict[str, str]:
    """What this run's numbers depend on, as text by name: settings, samples, frozen and given weights, processes."""
    identity = settings_of(config, phases) | backbones_of(config) | {"processes": str(processes)}
    for name, member in data.members.items():
        assert isinstance(member, AffectDataModule)
        identity[f"training samples of {name}"] = member.manifest()
    return identity | {f"weights of {path.stem}": digest_of_file(path) for path in given}


def newest_checkpoint(directory: Path, identity: Mapping[str, str]) -> Path | None:
    """The newest checkpoint that is whole, if there is any; a damaged one is said aloud and passed over.

    Raises:
        ConfigError: it is of a run that depends on something else; every difference is listed.
    """
    for path in generations(directory):
        try:
            before = read_checkpoint(path, lazily=True)["run"]["identity"]
        except CheckpointError as error:
            console.print(f"[yellow]{error}[/]: going on from the one before it", soft_wrap=True)
            continue
        if different := changes(before, identity):
            lines = [f"  {name}: {_said(old)}, now {_said(new)}" for name, (old, new) in different.items()]
            raise ConfigError(
                f"{path} is of a run with other settings, so this would not be its continuation:\n"
                + "\n".join(lines)
                + "\nSet them back to go on, or start over with --fresh, which moves the old state aside;"
                " another output=DIR leaves it where it is. nano_emox/identity.py names what may change."
            )
        return path
    return None


def tidy(directory: Path) -> None:
    """Remove what a killed process left half-written."""
    sweep(directory)
    sweep(directory.parent.parent, older_than=3600)  # other stages may be writing their results there


def start_over(config: ExperimentConfig, stage: str, phases: Sequence[str]) -> None:
    """Move a stage's state, and the results of its phases, to `<output>/aside/<number>`, and say so.

    The records of the whole directory go along where every phase starts over, the id of its W&B run among them. Otherwise they
    stay, as they are of other stages too, with copies aside; rows of `accounting.jsonl` that are of these phases go.
    """
    output = Path(config.output)
    logs = output / "logs" / stage
    old = [path for path in (resume_directory(config, stage), logs, *checkpoints_of(config, phases)) if path.exists()]
    accounts = AccountFile(output / "accounting.jsonl")
    records = [p for p in (accounts.path, *(output / name for name in ("config.yaml", "nonfinite.jsonl"))) if p.exists()]
    if not old and not any(row["phase"] in phases for row in read_accounts(accounts.path)):
        return
    whole = set(phases) == set(config.phases)
    if whole:
        old += [*records, *output.glob("wandb_run.json")]
    aside = next(path for n in range(1, 10_000) if not (path := output / "aside" / str(n)).exists())
    for path in old:
        target = aside / path.relative_to(output)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    if not whole:
        aside.mkdir(parents=True, exist_ok=True)
        for path in records:
            shutil.copy2(path, aside)
        accounts.drop(phases)
    console.print(f"starting over; what was there is in {aside}", markup=False, soft_wrap=True)


def _said(value: str | None) -> str:
    return "not set" if value is None else value
