"""Where the published checkpoints are: a local directory, the hub's cache, or the hub itself where that was asked for.

A name is looked up in this order: a directory below `backbones.root`; a directory of that path; the hub's cache; with
`backbones.allow_download`, the hub. The network is never touched otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from nano_emox.config import BackboneConfig

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


class Source(NamedTuple):
    """A published checkpoint: its name on the hub, and the files it must have; of alternatives in a tuple, one."""

    name: str
    files: tuple[str | tuple[str, ...], ...]


SOURCES: dict[str, Source] = {
    "visual": Source("openai/clip-vit-large-patch14", ("config.json", "preprocessor_config.json", WEIGHTS)),
    "speech": Source("TencentGameMate/chinese-hubert-large", ("config.json", WEIGHTS)),
    "face": Source("kartiknarayan/facexformer", (("model.pt", "ckpts/model.pt"),)),
    "language": Source("Qwen/Qwen2.5-1.5B-Instruct", ("config.json", "tokenizer_config.json", WEIGHTS)),
}
_FETCHED = ["*.json", "*.txt", "*.jinja", "*.safetensors", "pytorch_model*.bin", "*model.pt"]


def locate(config: BackboneConfig, modalities: Collection[str] = tuple(SOURCES)) -> dict[str, Path]:
    """The directory of each backbone.

    Raises:
        FileNotFoundError: naming every file that is missing, where it was looked for, and how to get it.
    """
    found, problems = {}, []
    for modality in modalities:
        directory, problem = _locate(config, modality)
        found[modality] = directory
        if problem:
            problems.append(problem)
    if problems:
        hint = "; `make backbones` makes the tiny ones" if config.preset == "tiny" else ""
        raise FileNotFoundError("backbones are missing" + hint + "\n" + "\n".join(problems))
    return found


def missing_files(directory: Path, modality: str) -> list[str]:
    """What a directory lacks of a published checkpoint; alternatives are written `a or b`."""
    lacks = []
    for names in SOURCES[modality].files:
        alternatives = (names,) if isinstance(names, str) else names
        if not any((directory / name).is_file() for name in alternatives):
            lacks.append(" or ".join(name for name in alternatives if not name.endswith(".index.json")))
    return lacks


def _locate(config: BackboneConfig, modality: str) -> tuple[Path, str]:
    name = str(getattr(config, modality))
    local = Path(config.root) / name
    lacks = missing_files(local, modality)
    if not lacks:
        return local, ""
    if not missing_files(Path(name), modality):
        return Path(name), ""
    problem = f"{modality}: {local} lacks {', '.join(lacks)}"
    published = name if "/" in name else SOURCES[modality].name if name == getattr(BackboneConfig, modality) else ""
    if not published or config.preset == "tiny":
        return local, problem + ("" if config.preset == "tiny" else "; put a checkpoint there, or name one as owner/name")
    cached, said = _in_cache(published), "nor is it in the hub's cache"
    if (cached is None or missing_files(cached, modality)) and config.allow_download:
        try:
            cached = Path(snapshot_download(published, allow_patterns=_FETCHED))
        except (HfHubHTTPError, OSError) as error:  # no network, no such name, a gate
            said = f"the hub answered: {str(error).splitlines()[0]}"
    if cached is None:
        how = f"hf download {published} --local-dir {local}" + (
            "" if config.allow_download else ", or backbones.allow_download=true"
        )
        return local, f"{problem}; {said}; {how}"
    if lacks := missing_files(cached, modality):
        return cached, f"{modality}: {cached} lacks {', '.join(lacks)}; delete it and fetch {published} again"
    return cached, ""


def _in_cache(published: str) -> Path | None:
    try:
        return Path(snapshot_download(published, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
