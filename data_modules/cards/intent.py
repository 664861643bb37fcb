"""Intent recognition: MIntRec and MIntRec2.0."""

from __future__ import annotations

from data_modules.cards.card import THREE, DatasetCard
from data_modules.readers.intent_tsv import IntentTsv
from data_modules.vocabularies import MINTREC, MINTREC2

CARDS = (
    DatasetCard(
        {
            "original": IntentTsv(
                "MIntRec",
                "MIntRec",
                tuple(sorted(MINTREC)),
                {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"},
                columns={
                    "season": ("season", 0),
                    "episode": ("episode", 1),
                    "clip": ("clip", 2),
                    "text": ("text", 3),
                    "label": ("label", 4),
                },
                name="{season}_{episode}_{clip}",
                nested="{season}/{episode}/{clip}",
                video=("raw_data", "video"),
                audio=("audio",),
            )
        },
        THREE,
        {"train": 1334, "validation": 445, "test": 445},
        "research only",
        "github.com/thuiar/MIntRec (Google Drive)",
        "Zhang et al., MIntRec, ACM MM 2022",
        ("the released training merges train and dev",),
    ),
    DatasetCard(
        {
            "original": IntentTsv(
                "MIntRec2.0",
                "MIntRec2.0",
                MINTREC2,
                {"train": "in-scope/train.tsv", "validation": "in-scope/dev.tsv", "test": "in-scope/test.tsv"},
                columns={
                    "dialogue": ("dialogue_id", 0),
                    "utterance": ("utterance_id", 1),
                    "text": ("text", 2),
                    "label": ("label", 3),
                    "speaker": ("speaker", 7),
                },
                name="dia{dialogue}_utt{utterance}",
                nested=None,
                video=("in-scope/raw_data", "raw_data", "video"),
                audio=("in-scope/audio", "audio"),
                out_of_scope="UNK",
            )
        },
        THREE,
        {"train": 6165, "validation": 1106, "test": 2033},
        "CC BY-NC-SA 4.0",
        "github.com/thuiar/MIntRec2.0 (Google Drive)",
        "Zhang et al., MIntRec2.0, ICLR 2024",
        ("the paper's test has 1,044 of these 2,033 and its training 841 dev utterances: rows are not comparable",),
    ),
)
