"""Empathetic response: AvaMERG."""

from __future__ import annotations

from data_modules.cards.card import THREE, DatasetCard
from data_modules.readers.dialog_json import EmpatheticDialogues
from data_modules.vocabularies import EMPATHETIC_DIALOGUES

CARDS = (
    DatasetCard(
        {
            "original": EmpatheticDialogues("AvaMERG", "AvaMERG", EMPATHETIC_DIALOGUES),
            "public_test": EmpatheticDialogues("AvaMERG", "AvaMERG", EMPATHETIC_DIALOGUES, splits=("test",), only="test.json"),
        },
        THREE,
        {},
        "not stated",
        "huggingface.co/datasets/ZhangHanXD/AvaMERG",
        "Zhang et al., AvaMERG, WWW 2025",
        (
            "the public test.json has no labels and no profiles: its turns are reported as such (layout public_test), 858 of its "
            "dialogues have no turns",
            "whether a labelled valid.json is in the public release is not established: where it is there it is validation and test, "
            "without it both are held out of train.json by dialogue, a tenth each, the same on every machine",
            "released evaluation falls back to train.json without a word when its own labelled test is missing, scores last turns only, "
            "and compares projected labels with answers that are not: its accuracy and hit rate cannot be repeated",
            "the released question lists 25 emotions that are not those of the labels; candidates here are the 32 words of "
            "EmpatheticDialogues and every other word of the files",
            "a turn is one utterance of the speaker; some dialogues start at turn 1",
            "clips are found under the names of the release (dia00001utt0_16) and of the baseline (dia1utt1)",
        ),
        clip_names="AvaMERG",
    ),
)
