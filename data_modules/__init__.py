"""Affect data sets as LightningDataModules, usable without the rest of this project.

Names are imported when they are first used, so `import data_modules` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "data_modules.record": ("ChainOfEmpathy", "Item", "Media", "Sample", "Task", "Turn"),
    "data_modules.media": ("MediaError", "Reason", "cut_clips", "probe", "read_audio", "read_frames", "resolve_inside"),
    "data_modules.datasets": ("DATASETS", "DatasetCard", "load_samples", "splits_of"),
    "data_modules.features": ("ContentKeys", "FeatureSpace", "FeatureStore", "content_key"),
    "data_modules.inputs": ("InputReader", "MediaInputs", "StoredFeatures"),
    "data_modules.mixture": ("Mixture", "MixtureSampler", "ResumableDataLoader", "limited"),
    "data_modules.loading": ("SkipReport", "collate_items"),
    "data_modules.module": ("AffectDataModule",),
    "data_modules.splits": ("Overlap", "grouped_split", "overlap", "without_overlap"),
    "data_modules.curriculum": ("CurriculumDataModule",),
    "data_modules.extraction": ("Clip", "ClipDataModule", "clips_of"),
    "data_modules.named": (
        "CAER", "CHSIMS", "CMUMOSEI", "CMUMOSI", "CREMAD", "AvaMERG", "CHSIMSv2", "EMER", "FERV39k", "Generic", "IEMOCAP", "M3ED",
        "MELD", "MER2023", "MER2024", "MERCaptionPlus", "MERRFine", "MIntRec", "MIntRec2", "OVMERD", "OVMERDPlus",
    ),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"data_modules has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
