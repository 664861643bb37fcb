"""Emotion recognition with closed labels: eight data sets."""

from __future__ import annotations

from data_modules.cards.card import CORPORA, THREE, UNIBENCH, DatasetCard
from data_modules.readers.class_folder import ClassFolder, ListedClasses, NamedClasses
from data_modules.readers.corpus_npz import CorpusNpz
from data_modules.readers.dialog_json import SeriesDialogues
from data_modules.record import Task
from data_modules.vocabularies import CREMA_SENTENCES, MER_EMOTIONS, SEVEN_EMOTIONS, SEVEN_SPELLING

CARDS = (
    DatasetCard(
        {
            "original": NamedClasses(
                "CREMA-D",
                "CREMA-D",
                ("anger", "disgust", "fear", "happy", "neutral", "sad"),
                codes={"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"},
                sentences=CREMA_SENTENCES,
                splits={"train": "1234567", "validation": "89", "test": "0"},
            )
        },
        THREE,
        {"all": 7442},
        "ODbL",
        "git clone github.com/CheyneyComputerScience/CREMA-D, then git lfs pull",
        "Cao et al., CREMA-D, IEEE TAC 2014",
        (
            "1076_MTI_SAD_XX has no sound",
            "without git-lfs the files are 130-byte pointers",
            "no official split: ours is by actor",
        ),
    ),
    DatasetCard(
        {
            "original": SeriesDialogues(
                "M3ED",
                "M3ED",
                SEVEN_EMOTIONS,
                spelling=SEVEN_SPELLING,
                splits={s: f"splitInfo/movie_list_{f}.txt" for s, f in zip(THREE, ("train", "val", "test"), strict=True)},
            )
        },
        THREE,
        {"train": 17427, "validation": 2821, "test": 4201},
        "not stated",
        "annotations and the link to the speech clips: github.com/AIM3-RUC/RUCM3ED",
        "Zhao et al., M3ED, ACL 2022",
        ("speech only: the videos were never released", "12 sound files are empty"),
    ),
    DatasetCard(
        {"original": ClassFolder("CAER", "CAER", SEVEN_EMOTIONS, {s: s for s in THREE}, SEVEN_SPELLING)},
        THREE,
        {"all": 13201},
        "research only",
        "request form at caer-dataset.github.io",
        "Lee et al., CAER, ICCV 2019",
        ("base names repeat in every class and split",),
    ),
    DatasetCard(
        {
            "original": ListedClasses(
                "FERV39k",
                "FERV39k",
                SEVEN_EMOTIONS,
                {s: f"4_setups/All_scenes/{s}_All.csv" for s in ("train", "test")},
                media=("0_7_LabelClips", "2_ClipsforFaceCrop", "3_ClipsforScenImages"),
                spelling=SEVEN_SPELLING,
            )
        },
        ("train", "test"),
        {"train": 31088, "test": 7847},
        "research only, by application",
        "e-mail application, see wangyanckxx.github.io/Proj_CVPR2022_FERV39k.html",
        "Wang et al., FERV39k, CVPR 2022",
        ("numbers restart in every scene and emotion", "some copies are images only"),
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "MER2023",
                "MER-UniBench/mer2023-dataset-process",
                {"train": "train_corpus", "test": "test1_corpus"},
                (Task.MER,),
                MER_EMOTIONS,
                score_range=(-5.0, 5.0),
                labels="label-6way.npz",
                language="zh",
            )
        },
        ("train", "test"),
        {"train": 3373, "test": 411},
        "EULA",
        UNIBENCH,
        "Lian et al., MER 2023, ACM MM 2023",
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "MER2024",
                "MER-UniBench/mer2024-dataset-process",
                {"train": "train_corpus", "test": "test1_corpus"},
                (Task.MER,),
                MER_EMOTIONS,
                labels="label-6way.npz",
                subtitles="transcription_merge.csv",
                subtitle_column="chinese",
                language="zh",
            )
        },
        ("train", "test"),
        {"test": 1169},
        "EULA",
        UNIBENCH,
        "Lian et al., MER 2024",
        ("the subtitles are Chinese, as in the published evaluation", "many samplenew3_* files have no video stream"),
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "MELD",
                "MER-UniBench/meld-process",
                CORPORA,
                (Task.MER,),
                ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"),
                classes=("anger", "joy", "sadness", "neutral", "disgust", "fear", "surprise"),
                video=("subvideo",),
                audio=("subaudio",),
            )
        },
        THREE,
        {"train": 9989, "validation": 1109, "test": 2610},
        "GPL-3.0 annotation",
        UNIBENCH,
        "Poria et al., MELD, ACL 2019",
        ("train_dia125_utt3 is corrupt", "test_dia38_utt4 and test_dia220_utt0 are minutes long"),
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "IEMOCAP",
                "MER-UniBench/iemocap-process",
                {"train": "whole_corpus:Ses0[1-4]", "test": "whole_corpus:Ses05"},
                (Task.MER,),
                ("anger", "happy", "neutral", "sad"),
                classes=("happy", "sad", "neutral", "anger"),
                labels="label_4way.npz",
                video=("subvideo-tgt",),
                audio=("subaudio",),
            )
        },
        ("train", "test"),
        {"train": 4290, "test": 1241},
        "USC licence",
        f"sail.usc.edu/iemocap, then {UNIBENCH}",
        "Busso et al., IEMOCAP, LRE 2008",
        ("test is session 5",),
    ),
)
