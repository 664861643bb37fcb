"""Empathetic response: AvaMERG."""

from __future__ import annotations

from data_modules.cards.card import THREE, DatasetCard
from data_modules.readers.dialog_json import EmpatheticDialogues
from data_modules.vocabularies import EMPATHETIC_DIALOGUES

CARDS = (
    DatasetCard(
        {"original": EmpatheticDialogues("AvaMERG", "AvaMERG", EMPATHETIC_DIALOGUES)},
        THREE,
        {},
        "not stated",
        "huggingface.co/datasets/ZhangHanXD/AvaMERG",
        "Zhang et al., AvaMERG, WWW 2025",
        (
            "the public test.json has no labels",
            "without valid.json, validation and test are held out of train.json by dialogue",
        ),
    ),
)
