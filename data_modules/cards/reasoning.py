"""Open emotion words and emotion reasoning: MER-Caption+, MERR-Fine, OV-MERD, OV-MERD+, EMER."""

from __future__ import annotations

from dataclasses import replace

from data_modules.cards.card import MER_CLIPS, MER_EULA, UNIBENCH, DatasetCard
from data_modules.readers.named_json import NamedJson
from data_modules.readers.open_set_csv import OpenSetCsv
from data_modules.readers.table_csv import Beside, Column, TableCsv
from data_modules.record import Task

_MER_CAPTION_PLUS = OpenSetCsv(
    "MER-Caption+",
    {"train": "MER2025/track2_train_mercaptionplus.csv"},
    {"train": "MER2025/track3_train_mercaptionplus.csv"},
    "MER2025/subtitle_chieng.csv",
    "english",
    video=("video", "video_7z/*/video", "video_7z/*"),
    audio=("audio", "audio_7z/*/audio", "audio_7z/*"),
)
_OV_MERD_PLUS = "MER-UniBench/ovmerdplus-process"

CARDS = (
    DatasetCard(
        {
            "original": _MER_CAPTION_PLUS,
            "as_released": replace(_MER_CAPTION_PLUS, if_empty=("neutral",)),
            "2026": replace(
                _MER_CAPTION_PLUS,
                splits={"train": "MER2026/track2_train_mercaptionplus.csv"},
                reasons={"train": "MER2026/track3_train_mercaptionplus.csv"},
                subtitles="MER2026/subtitle_chieng.csv",
            ),
        },
        ("train",),
        {"train": 31327},
        "CC BY-NC 4.0, EULA",
        f"MERChallenge/MER2025 or MER2026: {MER_EULA}; join the split archives with 7-Zip",
        "Lian et al., AffectGPT, ICML 2025",
        (
            "English subtitles are machine translations and can be empty",
            "some samplenew3_* files have no video stream",
            "an entry without words ([]) is asked for its description only; layout as_released calls it neutral, as the released code does",
            "media lie in video/, in video/video/ or, in the release of 2026, in video_7z/<part>/video/: all are found",
            "the release of 2026 has 1,532 clips labelled by people (track2_train_human.csv), of which users found every third one here "
            "too: take those out before testing on them",
        ),
        clip_names=MER_CLIPS,
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
        (
            "names of the MER2025 download do not match these",
            "whether MER2023 has sound files for test3 is not established: MER2023/audio is used where it is there, else the avi's track",
        ),
        clip_names=MER_CLIPS,
    ),
    DatasetCard(
        {
            "original": replace(
                _MER_CAPTION_PLUS,
                dataset="OV-MERD",
                splits={"test": "MER2025/track2_train_ovmerd.csv"},
                reasons={"test": "MER2025/track3_train_ovmerd.csv"},
            ),
            "mertools": TableCsv(
                "OV-MERD",
                {"test": "OV-MERD/check-openset.csv"},
                {"name": Column("name|names", 0), "words": Column("openset", 1)},
                id="{name}",
                video=("MER2023/train/{name}", "MER2025/video/{name}", "OV-MERD/video/{name}"),
                audio=("MER2023/audio/{name}", "MER2025/audio/{name}", "OV-MERD/audio/{name}"),
                tasks=(Task.OV_MER,),
                beside={"subtitle": Beside("MER2025/subtitle_chieng.csv", ("name",), "english")},
                language="zh",
            ),
        },
        ("test",),
        {"test": 332},
        "EULA",
        f"MER2025: {MER_EULA}; or check-openset.csv of github.com/zeroQiaoba/MERTools (MER2024/ov_store) with MER2023's train",
        "Lian et al., OV-MER, ICML 2025",
        (
            "332 clips; AffectGPT's OV-MERD+ has 532, and which one the paper's row used is not known: name either in the config",
        ),
        clip_names=MER_CLIPS,
    ),
    DatasetCard(
        {
            "unibench": TableCsv(
                "OV-MERD+",
                {"test": f"{_OV_MERD_PLUS}/ovlabel.csv"},
                {"name": Column("name", 0), "words": Column("openset", 1)},
                id="{name}",
                video=(f"{_OV_MERD_PLUS}/video/{{name}}",),
                audio=(f"{_OV_MERD_PLUS}/audio/{{name}}",),
                tasks=(Task.OV_MER,),
                beside={"subtitle": Beside(f"{_OV_MERD_PLUS}/subtitle_eng.csv", ("name",), "sentence")},
                language="zh",
            )
        },
        ("test",),
        {"test": 532},
        "EULA",
        UNIBENCH,
        "Lian et al., AffectGPT, ICML 2025",
        ("532 clips; the released code evaluates the 332 of OV-MERD, and which one the paper's row used is not known",),
        clip_names=MER_CLIPS,
    ),
    DatasetCard(
        {
            "original": TableCsv(
                "EMER",
                {"test": "EMER/gt-eng.csv"},
                {
                    "name": Column("names"),
                    "words": Column("emotions"),
                    "subtitle": Column("subtitles"),
                    "description": Column("reasons"),
                },
                id="{name}",
                video=("MER2023/train/{name}", "EMER/video/{name}", "EMER/{name}"),
                audio=("MER2023/audio/{name}", "EMER/audio/{name}"),
                tasks=(Task.ERI,),
                beside={"description_chinese": Beside("EMER/gt.csv", ("names",), "chi_reasons")},
                language="zh",
            )
        },
        ("test",),
        {"test": 100},
        "table open, media EULA",
        f"tables gt-eng.csv and gt.csv: github.com/zeroQiaoba/AffectGPT; media: MER2023 train, {MER_EULA}",
        "Lian et al., EMER, 2023",
        ("7 subtitles are empty", "the published score asks a hosted model that is no longer there: scores cannot be repeated"),
        clip_names=MER_CLIPS,
    ),
)
