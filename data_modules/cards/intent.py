"""Intent recognition: MIntRec and MIntRec2.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from data_modules.cards.card import THREE, DatasetCard, Subset
from data_modules.readers.messages_json import MessagesJson
from data_modules.readers.table_csv import Column, TableCsv
from data_modules.record import Task
from data_modules.vocabularies import MINTREC, MINTREC2, OUT_OF_SCOPE

FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


def _tables(folder: str) -> Mapping[str, str]:
    return {split: f"{folder}/{file}" for split, file in FILES.items()}


_MINTREC = TableCsv(
    "MIntRec",
    _tables("MIntRec"),
    {
        "season": Column("season"),
        "episode": Column("episode"),
        "clip": Column("clip"),
        "subtitle": Column("text"),
        "label": Column("label"),
    },
    id="{season}_{episode}_{clip}",
    video=(
        "MIntRec/raw_data/{season}/{episode}/{clip}",
        "MIntRec/raw_data/{season}_{episode}_{clip}",
        "MIntRec/video/{season}_{episode}_{clip}",
    ),
    audio=("MIntRec/audio/{season}_{episode}_{clip}",),
    tasks=(Task.MIR,),
    vocabulary=tuple(sorted(MINTREC)),
    delimiter="\t",
)
_MINTREC2 = TableCsv(
    "MIntRec2.0",
    _tables("MIntRec2.0/in-scope"),
    {
        "dialogue": Column("dialogue_id", 0),
        "utterance": Column("utterance_id", 1),
        "subtitle": Column("text", 2),
        "label": Column("label", 3),
        "speaker": Column("speaker", 7, optional=True),
    },
    id="dia{dialogue}_utt{utterance}",
    video=tuple(
        f"MIntRec2.0/{folder}/dia{{dialogue}}_utt{{utterance}}"
        for folder in (
            "in-scope/raw_data", "raw_data", "video", "total/raw_data", "out-of-scope/MIntRec2.0-OOD/raw_data", "data", "data01",
        )
    ),
    audio=("MIntRec2.0/in-scope/audio/dia{dialogue}_utt{utterance}", "MIntRec2.0/audio/dia{dialogue}_utt{utterance}"),
    tasks=(Task.MIR,),
    vocabulary=MINTREC2,
    left_out=(OUT_OF_SCOPE,),
    delimiter="\t",
)  # fmt: skip
_WITH_OUT_OF_SCOPE = tuple(sorted((*MINTREC2, OUT_OF_SCOPE)))

CARDS = (
    DatasetCard(
        {
            "original": _MINTREC,
            "released": MessagesJson(
                "MIntRec",
                _MINTREC.vocabulary,
                {"train": "MIntRec/train_MIntRec_ann.json", "test": "MIntRec/test_MIntRec_ann.json"},
                (Task.MIR,),
                video=("MIntRec/video", "MIntRec/raw_data"),
                audio=("MIntRec/audio",),
            ),
            "mmla": replace(
                _MINTREC,
                splits=_tables("MMLA-Datasets/MIntRec"),
                columns={
                    "clip": Column(
                        "video_name|id",
                        parts=r"(?:MIntRec_)?(?P<season>S\d+)_(?P<episode>E\d+)_(?P<clip>\d+)(?:\.mp4)?",
                    ),
                    "subtitle": Column("text"),
                    "label": Column("label"),
                },
                video=(
                    "MMLA-Datasets/MIntRec/video/MIntRec_{season}_{episode}_{clip}",
                    "MMLA-Datasets/MIntRec/video/{season}_{episode}_{clip}",
                    *_MINTREC.video,
                ),
            ),
        },
        THREE,
        {"train": 1334, "validation": 445, "test": 445},
        "research only",
        "github.com/thuiar/MIntRec (Google Drive), or huggingface.co/datasets/THUIAR/MMLA-Datasets",
        "Zhang et al., MIntRec, ACM MM 2022",
        (
            "the released lists have no validation split: their training is train and dev together (subset as_released)",
            "the videos lie in nested folders in the original and in one folder in the released form; both are found",
            "columns of the MMLA tables beside text and label were not seen by us: the id is taken from video_name, else from id",
        ),
        clip_names="MIntRec",
        subsets={"as_released": {"train": Subset(("train", "validation")), "test": Subset(("test",))}},
    ),
    DatasetCard(
        {
            "original": _MINTREC2,
            "multi-turn": replace(_MINTREC2, splits=_tables("MIntRec2.0/total"), history=True),
            "total": replace(
                _MINTREC2,
                splits=_tables("MIntRec2.0/total"),
                history=True,
                left_out=(),
                vocabulary=_WITH_OUT_OF_SCOPE,
            ),
            "out-of-scope": replace(
                _MINTREC2, splits=_tables("MIntRec2.0/out-of-scope/MIntRec2.0-OOD"), left_out=(), vocabulary=_WITH_OUT_OF_SCOPE
            ),
            "released": MessagesJson(
                "MIntRec2.0",
                MINTREC2,
                {"train": "MIntRec2.0/train_MIntRec2_ann.json", "test": "MIntRec2.0/test_MIntRec2_ann.json"},
                (Task.MIR,),
                video=("MIntRec2.0/video", "MIntRec2.0/in-scope/raw_data", "MIntRec2.0/raw_data"),
                audio=("MIntRec2.0/audio",),
            ),
            "mmla": replace(
                _MINTREC2,
                splits=_tables("MMLA-Datasets/MIntRec2.0"),
                columns={
                    "clip": Column(
                        "video_name|id",
                        parts=r"(?:MIntRec2\.0_)?(?:dia)?(?P<dialogue>\d+)_(?:utt)?(?P<utterance>\d+)(?:\.mp4)?",
                    ),
                    "subtitle": Column("text"),
                    "label": Column("label"),
                },
                video=(
                    "MMLA-Datasets/MIntRec2.0/video/MIntRec2.0_{dialogue}_{utterance}",
                    "MMLA-Datasets/MIntRec2.0/video/dia{dialogue}_utt{utterance}",
                    *_MINTREC2.video,
                ),
            ),
        },
        THREE,
        {"train": 6165, "validation": 1106, "test": 2033},
        "CC BY-NC-SA 4.0 (the Hugging Face card says CC BY-SA 4.0)",
        "github.com/thuiar/MIntRec2.0 (Google Drive), or huggingface.co/datasets/THU-IAR/MIntRec2.0; "
        "the released lists go into MIntRec2.0/",
        "Zhang et al., MIntRec2.0, ICLR 2024",
        (
            "the released test has 1,044 of these 2,033 and the released training 841 dev utterances: rows of the paper are not "
            "comparable with published ones (subset as_released)",
            "out-of-scope utterances (UNK) are left out of the layouts original and multi-turn, a 31st class of total and out-of-scope",
            "layouts multi-turn and total read total/ and give each utterance the earlier ones of its dialogue, with their speakers",
            "the headers of the tables are not established: columns are found by header, else by position",
        ),
        clip_names="MIntRec2.0",
        subsets={
            "as_released": {
                "train": Subset(("train", "validation"), listed_in="MIntRec2.0/train_MIntRec2_ann.json"),
                "test": Subset(("test",), listed_in="MIntRec2.0/test_MIntRec2_ann.json"),
            }
        },
    ),
)
