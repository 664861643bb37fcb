"""Open emotion words and emotion reasoning: MER-Caption+, MERR-Fine, OV-MERD, EMER."""

from __future__ import annotations

from data_modules.cards.card import MER_EULA, DatasetCard
from data_modules.readers.named_json import NamedJson
from data_modules.readers.open_set_csv import OpenSetCsv
from data_modules.readers.table_csv import TableCsv

CARDS = (
    DatasetCard(
        {
            "original": OpenSetCsv(
                "MER-Caption+",
                "MER2025",
                {"train": "track2_train_mercaptionplus.csv"},
                {"train": "track3_train_mercaptionplus.csv"},
                "subtitle_chieng.csv",
                "english",
                video=("video",),
                audio=("audio",),
            )
        },
        ("train",),
        {"train": 31327},
        "CC BY-NC 4.0, EULA",
        MER_EULA,
        "Lian et al., AffectGPT, ICML 2025",
        ("English subtitles are machine translations and can be empty", "some samplenew3_* files have no video stream"),
    ),
    DatasetCard(
        {
            "original": NamedJson(
                "MERR-Fine",
                {"train": "MERR/MERR_fine_grained.json"},
                description="smp_reason_caption",
                subtitle="text",
                label="pseu_emotion",
                video=("MER2023/test3",),
                audio=("MER2023/audio",),
            )
        },
        ("train",),
        {"train": 4487},
        "annotation open, media EULA",
        f"annotation: github.com/ZebangCheng/Emotion-LLaMA; media: MER2023 test3, {MER_EULA}",
        "Cheng et al., Emotion-LLaMA, NeurIPS 2024",
        ("names of the MER2025 download do not match these",),
    ),
    DatasetCard(
        {
            "original": OpenSetCsv(
                "OV-MERD",
                "MER2025",
                {"test": "track2_train_ovmerd.csv"},
                {"test": "track3_train_ovmerd.csv"},
                "subtitle_chieng.csv",
                "english",
                video=("video",),
                audio=("audio",),
            )
        },
        ("test",),
        {"test": 332},
        "EULA",
        MER_EULA,
        "Lian et al., OV-MER, ICML 2025",
        ("332 clips; AffectGPT's OV-MERD+ has 532, and which one the paper's row used is not known",),
    ),
    DatasetCard(
        {
            "original": TableCsv(
                "EMER",
                {"test": "EMER/gt-eng.csv"},
                "names",
                "emotions",
                "subtitles",
                "reasons",
                video=("MER2023/train", "EMER/video"),
                audio=("MER2023/audio", "EMER/audio"),
            )
        },
        ("test",),
        {"test": 100},
        "table open, media EULA",
        f"table: github.com/zeroQiaoba/AffectGPT; media: MER2023 train, {MER_EULA}",
        "Lian et al., EMER, 2023",
        ("7 subtitles are empty",),
    ),
)
