"""From a configuration to the pieces of a run: samples, data modules, model, phases."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from lightning.pytorch import seed_everything
from transformers.utils.logging import disable_progress_bar

from callbacks.curriculum import Phase
from data_modules.curriculum import CurriculumDataModule
from data_modules.datasets import card_of, load_samples, splits_of
from data_modules.features import ContentKeys, FeatureSpace, FeatureStore
from data_modules.inputs import InputReader, MediaInputs, StoredFeatures
from data_modules.module import AffectDataModule
from data_modules.record import Sample, Task
from data_modules.splits import without_overlap
from experiments.configuration import read_config
from experiments.logs import calm
from experiments.overlap import find_overlap
from nano_emox.backbones import TOWERS, load_model, load_tokenizer
from nano_emox.batch import Collator
from nano_emox.checkpoint_io import WEIGHTS, read_weights
from nano_emox.config import ConfigError, ExperimentConfig, PhaseConfig, require_paths
from nano_emox.encoders import FrozenEncoder
from nano_emox.fingerprints import TowerFingerprints
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.model import MEDIA_OF, NanoEmoX
from nano_emox.prompts import MODALITIES, PromptTokenizer
from nano_emox.released_prompts import prompts_in


def configure(preset: str, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """The paper's recipe, a preset by name or by file, and overrides."""
    config = read_config(preset, overrides)
    calm()  # again: importing Lightning has set its own log level
    disable_progress_bar()  # of transformers, which would draw one for every file it loads
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    return config


def phases_of(config: ExperimentConfig) -> list[Phase]:
    """The phases to run, in curriculum order."""
    names = config.run or list(config.phases)
    phases, first_step = [], 0
    for name, p in config.phases.items():
        phase = Phase(name, name, tuple(p.trainable), p.epochs, p.steps_per_epoch, p.optim, first_step)
        first_step += phase.total_steps
        if name in names:
            phases.append(phase)
    return phases


def stage(config: ExperimentConfig, phase: str) -> list[str]:
    """The configured phases that a stage name means: `phase1` is its two branches.

    Raises:
        ConfigError: no phase of that name.
    """
    names = [name for name in config.phases if name == phase or name.startswith(f"{phase}_")]
    if not names:
        raise ConfigError(f"no phase {phase!r}; there are {', '.join(config.phases)}")
    return names


def stages(config: ExperimentConfig) -> list[str]:
    """The curriculum's stages in order: phase1, phase2, phase3."""
    return list(dict.fromkeys(name.split("_")[0] for name in config.phases))


def checkpoints_of(config: ExperimentConfig, phases: Iterable[str]) -> list[Path]:
    """The boundary checkpoints of phases."""
    return [Path(config.output) / f"{name}{WEIGHTS}" for name in phases]


def found_datasets(config: ExperimentConfig, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Data sets that lie under `data.root`, and those that do not."""
    root = Path(config.data.root)
    found: list[str] = []
    absent: list[str] = []
    for name in names:
        try:
            (found if card_of(name).layout_in(root) else absent).append(name)
        except KeyError as error:
            raise ConfigError(str(error.args[0])) from error
    return found, absent


def make_model(config: ExperimentConfig, *, online: bool = False, init_from: Sequence[Path] = ()) -> NanoEmoX:
    """The model with freshly initialised adapters, equal for equal seeds, then the weights of earlier phases.

    Raises:
        FileNotFoundError: a checkpoint or a backbone is missing.
    """
    require_paths(config, "backbones.root")
    seed_everything(config.seed, verbose=False)
    model = load_model(config.backbones, config.model, online=online)
    for path in init_from:
        if not path.is_file():
            raise FileNotFoundError(f"no checkpoint {path}; `make {path.stem.split('_')[0]}` trains it")
        model.init_from(read_weights(path), str(path))
    return model


def make_prompts(config: ExperimentConfig) -> PromptTokenizer:
    """Tokenizer with the chat template and the block sizes."""
    return prompts_in(config.model.prompt_style, load_tokenizer(config.backbones), config.model.tokens)


def media_inputs(config: ExperimentConfig, modalities: Collection[str] = MODALITIES) -> MediaInputs:
    """How this configuration decodes a clip."""
    model = config.model
    return MediaInputs(
        frames=model.frames, size=model.frame_size, clips=model.clips, seconds=model.clip_seconds, modalities=modalities,
        spread="released" if model.clip_spread == "released" else "end",
    )  # fmt: skip


def content_keys(config: ExperimentConfig) -> ContentKeys:
    """Addresses of clips, with a memory beside the feature store."""
    return ContentKeys(Path(config.cache) / "keys.json")


def space_of(config: ExperimentConfig, tower: FrozenEncoder) -> FeatureSpace:
    """The feature space of a tower with its preprocessing: another tower or setting is another space."""
    recipe = media_inputs(config).recipe(tower.media)
    return FeatureStore(Path(config.cache)).space(tower.modality, f"{tower.fingerprint()} {recipe}")


def spaces_of(config: ExperimentConfig, modalities: Collection[str]) -> dict[str, FeatureSpace]:
    """The same by modality, without the towers themselves where their files are as they were (see `fingerprints`)."""
    known = TowerFingerprints(Path(config.cache) / "fingerprints.json").of(config.backbones, config.model, modalities)
    media, store = media_inputs(config), FeatureStore(Path(config.cache))
    return {name: store.space(name, f"{fingerprint} {media.recipe(MEDIA_OF[name])}") for name, fingerprint in known.items()}


def unreadable_file(config: ExperimentConfig) -> Path:
    """What extraction could not read, and why: address -> reason."""
    return Path(config.cache) / "unreadable.json"


def read_unreadable(config: ExperimentConfig) -> dict[str, str]:
    """The content of that file; empty where there is none."""
    file = unreadable_file(config)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def make_inputs(config: ExperimentConfig, modalities: Collection[str]) -> InputReader:
    """Stored features, or media for online encoders, as `data.features` says."""
    return inputs_of_phases(config, {"": modalities})[""]


def inputs_of_phases(
    config: ExperimentConfig, phases: Mapping[str, Collection[str]], max_missing: float | None = None
) -> dict[str, InputReader]:
    """What each of several phases reads, by the modalities that it shows; a tower is looked at once for all of them.

    Args:
        max_missing: see `StoredFeatures`.
    """
    if config.data.features == "online":
        return {name: media_inputs(config, modalities) for name, modalities in phases.items()}
    needed = {name: set(shown) | ({"visual", "speech"} if "fusion" in shown else set()) for name, shown in phases.items()}
    spaces = spaces_of(config, [name for name in TOWERS if name in set().union(*needed.values())])
    keys, unreadable = content_keys(config), read_unreadable(config)
    return {
        phase: StoredFeatures({name: space for name, space in spaces.items() if name in wanted}, keys, unreadable, max_missing)
        for phase, wanted in needed.items()
    }


def phase_samples(config: ExperimentConfig, phase: PhaseConfig) -> tuple[dict[str, list[Sample]], list[Sample]]:
    """Training samples by data set, and the validation samples of those data sets that have any.

    Raises:
        FileNotFoundError: a training data set is missing; the message says how to obtain it.
    """
    require_paths(config, "data.root")
    train = {name: load_samples(name, config.data.root, "train", on_bad=config.data.on_bad) for name in phase.data}
    validation = [
        sample
        for name in phase.data
        if "validation" in splits_of(name, config.data.root)
        for sample in load_samples(name, config.data.root, "validation", on_bad=config.data.on_bad)[:64]
    ]
    return train, validation


def make_data(config: ExperimentConfig, phases: Iterable[Phase], prompts: PromptTokenizer) -> CurriculumDataModule:
    """One data module per phase, behind one door."""
    members = {}
    phases = list(phases)
    modalities = {phase.name: config.phases[phase.name].modalities for phase in phases}
    inputs = inputs_of_phases(config, modalities, config.data.max_skipped if config.data.on_bad == "skip" else 0.0)
    samples = {phase.name: phase_samples(config, config.phases[phase.name]) for phase in phases}
    if config.data.overlap != "ignore":
        found = find_overlap(config, {name: own for train, _ in samples.values() for name, own in train.items()})
        if config.data.overlap == "remove":
            samples = {name: (without_overlap(train, found), held) for name, (train, held) in samples.items()}
    for phase in phases:
        settings = config.phases[phase.name]
        train, validation = samples[phase.name]
        members[phase.name] = AffectDataModule(
            train,
            validation,
            weights=settings.data,
            limit=settings.limit,
            task_weights={name: {Task(task): w for task, w in tasks.items()} for name, tasks in settings.tasks.items()},
            batch_size=settings.batch_size,
            steps_per_epoch=settings.steps_per_epoch,
            num_workers=config.data.workers if config.data.features == "online" else 0,  # a stored row is read in 0.1 ms
            on_bad=config.data.on_bad,
            timeout=config.data.timeout,
            inputs=inputs[phase.name],
            collate=Collator(
                prompts, settings.modalities, max_length=config.model.max_length, over_long=config.model.over_long
            ),
            seed=config.seed,
        )
    return CurriculumDataModule(members)


def make_lexicon(config: ExperimentConfig) -> Lexicon:
    """The lexicon that wheel scores are computed with.

    Raises:
        ConfigError: it is neither `builtin` nor a directory of the released wheels.
    """
    try:
        return load_lexicon(config.evaluation.lexicon, config.evaluation.edition)
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"evaluation.lexicon: {error} (`nano-emox fetch wheels` downloads them)") from error


def device_of(config: ExperimentConfig) -> torch.device:
    """Where answers are generated: on the GPU if there is one and `trainer.accelerator` does not say cpu."""
    return torch.device("cuda" if torch.cuda.is_available() and config.trainer.accelerator != "cpu" else "cpu")
