"""The one owner of configuration: a typed schema, and `load`, which fills it from YAML files and `key=value` overrides.

Layers, later ones win: the schema's defaults, `experiments/p2e.yaml` (the paper), a preset, the user's overrides. A key that
the schema does not know, a value of the wrong type and a path that does not exist are errors that name the key.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from data_modules.durable import write_atomically


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key and what to write instead."""


@dataclass
class QFormerConfig:
    """A Q-Former adapter (paper, section 3.1): `layers` of `hidden` width with `heads`, after a frame position table."""

    hidden: int = 768
    layers: int = 2
    heads: int = 12
    intermediate: int = 3072
    dropout: float = 0.1


@dataclass
class FusionConfig:
    """The fusion encoder (equations 2 and 3): one expert per pair of (speech, visual) layers."""

    hidden: int = 512
    heads: int = 8
    dropout: float = 0.1


@dataclass
class FaceConfig:
    """The temporal facial adapter: query tokens attend over frames, then two linear layers to the LM's width."""

    heads: int = 4
    hidden: int = 768
    dropout: float = 0.1
    positions: bool = False  # the released adapter sees frames as a set; True adds a learned frame position


@dataclass
class LoraConfig:
    """Low-rank adaptation of the language model's seven projections."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05


@dataclass
class ModelConfig:
    """Sizes of the model. Media: `frames` of `frame_size` pixels, `clips` of `clip_seconds` at 16 kHz.

    The seven switches before the limits reproduce the released code where this project does otherwise on purpose;
    `experiments/presets/released.yaml` turns all of them, docs/released.md says what each is about.
    """

    frames: int = 8
    frame_size: int = 224
    clips: int = 8
    clip_seconds: float = 2.0
    visual_layers: list[int] = field(default_factory=lambda: [12, 16, 22])
    speech_layers: list[int] = field(default_factory=lambda: [16, 18, 22])
    tokens: dict[str, int] = field(default_factory=lambda: {"visual": 32, "speech": 32, "face": 4, "fusion": 1})
    qformer: QFormerConfig = field(default_factory=QFormerConfig)
    face: FaceConfig = field(default_factory=FaceConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    prompt_style: str = "chat"  # or released: `###Human: ... ###Assistant: `, and labels closed by ###
    face_pixels: str = "imagenet"  # or released: raw 0..255
    visual_resize: str = "tensor"  # or pil: at sizes other than the tower's, exactly the PIL processor's grey levels
    clip_spread: str = "end"  # or released: the last clip ends before the recording does
    clip_mean: str = "keep"  # or remove: every clip's own mean, before normalisation
    speech_normalise: str = "sample"  # over a sample's clips, or clip, or batch (released training)
    over_long: str = "shorten"  # drop the oldest dialogue turns, or leave_out the whole sample (released)
    max_length: int = 1024
    max_new_tokens: int = 512
    gradient_checkpointing: bool = False
    packing: bool = True  # rows side by side in the language model, no padding; False pads them to the longest
    shared_prefix: bool = True  # instruction and labels are read once for all rows; while the LM is frozen, once and for all


STRATEGIES = ("auto", "ddp", "fsdp2")
SWITCHES: dict[str, tuple[str, ...]] = {
    "prompt_style": ("chat", "released"),
    "face_pixels": ("imagenet", "released"),
    "visual_resize": ("tensor", "pil"),
    "clip_spread": ("end", "released"),
    "clip_mean": ("keep", "remove"),
    "speech_normalise": ("sample", "clip", "batch"),
    "over_long": ("shorten", "leave_out"),
}


@dataclass
class OptimConfig:
    """AdamW; linear warm-up from `warmup_lr` to `lr` over `warmup_steps`, then cosine decay to `min_lr`."""

    lr: float = MISSING
    min_lr: float = 0.0
    warmup_lr: float = 0.0
    warmup_steps: int = 0
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass
class PhaseConfig:
    """One phase of P2E.

    `data` gives each training data set its mixture weight (the probability of drawing from it), `limit` the number of its
    samples that are used at all; these are two different things. `tasks` splits a data set's draws among its tasks.
    `modalities` is what the prompt may show while the phase trains, `evaluate_with` what it shows when the phase is scored.
    """

    trainable: list[str] = MISSING
    data: dict[str, float] = MISSING
    limit: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)
    modalities: list[str] = MISSING
    evaluate_with: list[str] = field(default_factory=list)
    epochs: int = MISSING
    steps_per_epoch: int = MISSING
    batch_size: int = MISSING
    optim: OptimConfig = field(default_factory=OptimConfig)
    init_from: list[str] = field(default_factory=list)  # phases whose boundary checkpoints this one starts from


@dataclass
class DataConfig:
    """Where the data sets lie. With `synthetic`, a corpus of `clips` clips is written there first.

    Clips that cannot be read are left out and counted (`on_bad=skip`), up to the fraction `max_skipped` of an epoch's draws;
    more is an error. With `on_bad=error` the first one is.
    """

    root: str = "data/synthetic"
    synthetic: bool = False
    clips: int = 2400
    workers: int = 2
    timeout: float = 120.0  # seconds without a batch after which a hanging worker is an error
    on_bad: Literal["error", "skip"] = "skip"
    max_skipped: float = 0.01
    overlap: str = "report"  # training clips that are in a benchmark too: report them, remove them, or ignore that
    features: str = "stored"  # stored: encoders run once, training reads their outputs; online: encoders run in every step


@dataclass
class BackboneConfig:
    """Where the towers and the language model lie: a directory under `root`, a path, or a hub name (`owner/name`).

    With `pretrain` steps, tiny ones are made there first. The network is only asked with `allow_download`.
    """

    root: str = MISSING
    preset: str = "paper"
    visual: str = "clip-vit-large-patch14"
    speech: str = "chinese-hubert-large"
    face: str = "facexformer"
    language: str = "Qwen2.5-1.5B-Instruct"
    dtype: str = "bfloat16"
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"  # of the language model
    allow_download: bool = False
    tower_steps: int = 0
    language_steps: int = 0


@dataclass
class TrainerConfig:
    """What Lightning's Trainer is given."""

    accelerator: str = "auto"
    devices: str = "auto"
    num_nodes: int = 1
    strategy: str = "auto"  # auto is ddp where there are several devices; fsdp2 shards the language model, a phase a process
    precision: str = "bf16-mixed"
    gradient_clip_val: float = 1.0
    accumulate_grad_batches: int = 1
    log_every_n_steps: int = 10
    checkpoint_every_n_steps: int = 500  # optimizer steps; besides, one at every epoch's end. 0: only those
    threads: int = 0  # of the CPU, for torch; 0 is torch's own choice


@dataclass
class WandbConfig:
    """The W&B run. `mode=auto` is online after `wandb login` and offline otherwise; faces never leave the machine."""

    mode: str = "auto"
    project: str = "nano-emox"
    entity: str | None = None
    group: str | None = None
    timeout: float = 30.0  # seconds that a run waits for W&B, at its start and at its end


@dataclass
class EvaluationConfig:
    """Benchmarks per task (data set names) and how answers are generated."""

    benchmarks: list[str] = field(default_factory=list)
    limit: int = 0  # samples a benchmark; 0 is all
    batch_size: int = 16
    decode: Literal["greedy", "likelihood"] = "greedy"  # likelihood: MER and MIR choose the most probable candidate answer
    lexicon: str = "builtin"  # or a directory of the released wheels
    edition: Literal["strict", "corrected"] = "strict"  # of the released wheels; corrected: fear is not a form of fearless
    ablation: list[str] = field(default_factory=list)  # benchmarks that the modality ablation uses


@dataclass
class ExperimentConfig:
    """A whole run."""

    preset: str = "tiny"
    seed: int = 42
    run: list[str] = field(default_factory=list)  # phases to train, in order; empty: all
    output: str = MISSING
    cache: str = MISSING  # the feature store
    data: DataConfig = field(default_factory=DataConfig)
    backbones: BackboneConfig = field(default_factory=BackboneConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    phases: dict[str, PhaseConfig] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    wandb: WandbConfig = field(default_factory=WandbConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


def load(paths: Sequence[str | Path], overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Fill the schema from YAML files, then from `key=value` overrides such as `phases.phase2.optim.lr=2e-5`.

    Raises:
        ConfigError: a missing file, an unknown key (with the nearest known one), a wrong type, a missing value.
    """
    config = OmegaConf.structured(ExperimentConfig)
    for path in paths:
        if not Path(path).is_file():
            raise ConfigError(f"no configuration file {path}")
        config = _merge(config, OmegaConf.load(path), str(path))
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"override {override!r} is not of the form key=value, e.g. phases.phase2.optim.lr=2e-5")
        config = _merge(config, OmegaConf.from_dotlist([override]), f"override {override!r}")
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(f"these keys need a value: {', '.join(missing)}; set them in a YAML file or as key=value")
    experiment = OmegaConf.to_object(config)
    assert isinstance(experiment, ExperimentConfig)
    _check(experiment)
    return experiment


def to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """The resolved configuration as plain types, for the log and for `results.json`."""
    plain = OmegaConf.to_container(OmegaConf.structured(config), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _merge(config: Any, layer: Any, source: str) -> DictConfig:
    if not isinstance(layer, DictConfig):
        raise ConfigError(f"{source}: expected a mapping of keys to values")
    _check_keys(config, layer, source, "")
    try:
        merged = OmegaConf.merge(config, layer)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        first_line = str(error).splitlines()[0]
        if "ListConfig" in first_line:
            first_line = f"expected a list, e.g. {key}=[a,b]"
        raise ConfigError(f"{source}: {key or 'value'}: {first_line}") from None
    assert isinstance(merged, DictConfig)
    return merged


def _check_keys(known: Any, given: Any, source: str, prefix: str) -> None:
    if not isinstance(known, DictConfig) or not isinstance(given, DictConfig):
        return
    free = OmegaConf.get_type(known) is dict
    for name in given:
        key = f"{prefix}{name!s}"
        if name in known.keys():  # `in known` is False for a key that has no value yet  # noqa: SIM118
            if not OmegaConf.is_missing(known, name) and not OmegaConf.is_missing(given, name):
                _check_keys(known[name], given[name], source, f"{key}.")
        elif free:
            if prefix == "phases.":
                _check_keys(OmegaConf.structured(PhaseConfig), given[name], source, f"{key}.")
        else:
            near = difflib.get_close_matches(str(name), [str(n) for n in known], n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"there are: {', '.join(sorted(map(str, known)))}"
            raise ConfigError(f"{source}: unknown key {key}; {hint}")


def _check(config: ExperimentConfig) -> None:
    if not config.phases:
        raise ConfigError("phases: no phase is configured; start from experiments/p2e.yaml")
    for name in config.run:
        if name not in config.phases:
            near = difflib.get_close_matches(name, config.phases, n=1, cutoff=0.3)
            raise ConfigError(
                f"run: no phase {name!r}; {'did you mean ' + near[0] if near else 'there are ' + ', '.join(config.phases)}"
            )
    for name, phase in config.phases.items():
        for other in phase.init_from:
            if other not in config.phases:
                raise ConfigError(f"phases.{name}.init_from: no phase {other!r}; there are {', '.join(config.phases)}")
        if phase.epochs < 1 or phase.steps_per_epoch < 1 or phase.batch_size < 1:
            raise ConfigError(f"phases.{name}: epochs, steps_per_epoch and batch_size must be at least 1")
        if phase.optim.lr <= 0:
            raise ConfigError(f"phases.{name}.optim.lr: {phase.optim.lr}; a learning rate is above 0")
        for key in ("min_lr", "warmup_lr", "warmup_steps", "weight_decay"):
            if (value := getattr(phase.optim, key)) < 0:
                raise ConfigError(f"phases.{name}.optim.{key}: {value}; it is at least 0")
        if not all(0 <= beta < 1 for beta in phase.optim.betas):
            raise ConfigError(f"phases.{name}.optim.betas: {list(phase.optim.betas)}; each is from 0 to below 1")
    if config.trainer.checkpoint_every_n_steps < 0:
        raise ConfigError("trainer.checkpoint_every_n_steps must be at least 0 (0: only at the ends of epochs)")
    if config.data.clips < 1 or config.data.workers < 0:
        raise ConfigError("data.clips must be at least 1 and data.workers at least 0")
    if not 0 <= config.data.max_skipped <= 1 or config.data.timeout <= 0 or config.wandb.timeout <= 0:
        raise ConfigError("data.max_skipped is a fraction from 0 to 1; data.timeout and wandb.timeout are positive seconds")
    if config.trainer.strategy not in STRATEGIES:
        raise ConfigError(f"trainer.strategy: {config.trainer.strategy!r}; choose {', '.join(STRATEGIES)}")
    if config.backbones.dtype not in ("float32", "bfloat16", "float16"):
        raise ConfigError(f"backbones.dtype: {config.backbones.dtype!r}; choose float32, bfloat16 or float16")
    for block, count in config.model.tokens.items():
        if count < 1:
            raise ConfigError(f"model.tokens.{block}: {count}; a block has at least one token")
    for name, phase in config.phases.items():
        for key in ("modalities", "evaluate_with"):
            unknown = set(getattr(phase, key)) - {"visual", "face", "speech", "fusion", "text"}
            if unknown:
                raise ConfigError(
                    f"phases.{name}.{key}: no modality {sorted(unknown)}; there are visual, face, speech, fusion, text"
                )
    if config.data.overlap not in ("report", "remove", "ignore"):
        raise ConfigError(f"data.overlap: {config.data.overlap!r}; choose report, remove or ignore")
    if config.data.features not in ("stored", "online"):
        raise ConfigError(f"data.features: {config.data.features!r}; choose stored or online")
    if config.wandb.mode not in ("auto", "online", "offline", "disabled"):
        raise ConfigError(f"wandb.mode: {config.wandb.mode!r}; choose auto, online, offline or disabled")
    for name, choices in SWITCHES.items():
        if (value := getattr(config.model, name)) not in choices:
            raise ConfigError(f"model.{name}: {value!r}; choose {' or '.join(choices)}")
    if config.model.speech_normalise == "batch" and config.data.features == "stored":
        raise ConfigError("model.speech_normalise=batch makes features depend on their batch: it needs data.features=online")
    if len(config.model.visual_layers) != len(config.model.speech_layers):
        raise ConfigError("model.visual_layers and model.speech_layers pair up, one expert a pair; their lengths differ")


def require_paths(config: ExperimentConfig, *keys: str) -> None:
    """Check that the directories of these keys (`data.root`, `backbones.root`) exist.

    Raises:
        ConfigError: naming every key whose path is missing, with the nearest directory that does exist.
    """
    problems = []
    for key in keys:
        path = Path(attrgetter(key)(config))
        if not path.exists():
            parent = next((p for p in path.parents if p.exists()), Path())
            near = difflib.get_close_matches(
                path.name, [p.name for p in parent.iterdir()] if parent == path.parent else [], n=1
            )
            problems.append(f"{key}: {path} does not exist" + (f"; did you mean {parent / near[0]}?" if near else ""))
    if problems:
        raise ConfigError("\n".join(problems))


def save(config: ExperimentConfig, path: str | Path) -> None:
    """Write the whole configuration as YAML, so that a later command, in any directory, reads the run as it was."""
    path = Path(path)
    config = replace(
        config,
        output=str(Path(config.output).absolute()),
        cache=str(Path(config.cache).absolute()),
        data=replace(config.data, root=str(Path(config.data.root).absolute())),
        backbones=replace(config.backbones, root=str(Path(config.backbones.root).absolute())),
    )
    write_atomically(path, OmegaConf.to_yaml(OmegaConf.structured(config), resolve=True))
