"""Emotion recognition with closed labels, evaluation: MER2023, MER2024, MELD, IEMOCAP."""

from __future__ import annotations

from dataclasses import replace

from data_modules.cards.card import CORPORA, MER_CLIPS, MER_EULA, THREE, UNIBENCH, DatasetCard, Subset
from data_modules.readers.corpus_npz import CorpusNpz
from data_modules.readers.evaluation_txt import EvaluationTxt
from data_modules.readers.table_csv import Beside, Column, TableCsv
from data_modules.record import Task
from data_modules.vocabularies import (
    IEMOCAP_CODES,
    IEMOCAP_EMOTIONS,
    IEMOCAP_OTHERS,
    IEMOCAP_SIX_CODES,
    MELD_EMOTIONS,
    MER_EMOTIONS,
)

_MER_COLUMNS = {"name": Column("name", 0), "label": Column("discrete", 1), "score": Column("valence", 2, optional=True)}
_MER2024 = CorpusNpz(
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
_IEMOCAP = EvaluationTxt(
    "IEMOCAP",
    "IEMOCAP",
    tuple(sorted(IEMOCAP_EMOTIONS)),
    {"train": (1, 2, 3, 4), "test": (5,)},
    codes=IEMOCAP_CODES,
    left_out=("fru", *IEMOCAP_OTHERS),
)

CARDS = (
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "MER2023",
                "MER-UniBench/mer2023-dataset-process",
                {"train": "train_corpus", "test": "test1_corpus", "test2": "test2_corpus", "test3": "test3_corpus"},
                (Task.MER,),
                MER_EMOTIONS,
                score_range=(-5.0, 5.0),
                labels="label-6way.npz",
                language="zh",
            ),
            "original": TableCsv(
                "MER2023",
                {
                    "train": "MER2023/train-label.csv",
                    "test": "MER2023/test1-label.csv",
                    "test2": "MER2023/test2-label.csv",
                    "test3": "MER2023/test3-label.csv",
                },
                _MER_COLUMNS,
                id="{name}",
                video=("MER2023/{clips}/{name}",),
                audio=("MER2023/audio/{name}",),
                vocabulary=MER_EMOTIONS,
                score_range=(-5.0, 5.0),
                words_of_split={
                    split: {"clips": folder}
                    for split, folder in (("train", "train"), ("test", "test1"), ("test2", "test2"), ("test3", "test3"))
                },
                beside={"subtitle": Beside("MER2023/transcription-engchi-polish.csv", ("name",), "english")},
                language="zh",
            ),
        },
        ("train", "test"),
        {"train": 3373, "test": 411},
        "EULA",
        f"{UNIBENCH}; or {MER_EULA}, and unpack it as MER2023/",
        "Lian et al., MER 2023, ACM MM 2023",
        (
            "test is test1 (MER-MULTI); subset test2 and subset test3 are the other labelled tests, of 412 and 834 clips",
            "a valence of -10 means none",
            "18 subtitles of test1 are empty",
            "test3 has 73,148 files, of which 834 are labelled",
            "the original release has no English subtitles that we know of: put transcription-engchi-polish.csv beside its labels",
            "not established: whether the original has a folder of sounds; the tracks in the videos are used where there is none",
        ),
        clip_names=MER_CLIPS,
        subsets={name: {"test": Subset((name,))} for name in ("test2", "test3")},
    ),
    DatasetCard(
        {
            "unibench": _MER2024,
            "unibench_english": replace(_MER2024, subtitle_column="english"),
            "original": TableCsv(
                "MER2024",
                {"train": "MER2024/label-disdim.csv"},
                _MER_COLUMNS,
                id="{name}",
                video=("MER2024/video-labeled/{name}",),
                audio=("MER2024/audio-labeled/{name}", "MER2024/audio/{name}"),
                vocabulary=MER_EMOTIONS,
                beside={"subtitle": Beside("MER2024/transcription_merge.csv", ("name",), "chinese")},
                language="zh",
            ),
        },
        ("train", "test"),
        {"test": 1169},
        "EULA",
        f"{UNIBENCH}; or {MER_EULA}, and unpack it as MER2024/",
        "Lian et al., MER 2024",
        (
            "the subtitles are Chinese, as in the published evaluation; layout=unibench_english gives the English translations",
            "test is test1 (MER-SEMI); the original release has no labels for it, only the labelled part, read as train",
            "many samplenew3_* files have no video stream",
            "not established: columns of label-disdim.csv beside name, discrete and valence; those are found by header, else as "
            "the first three",
        ),
        clip_names=MER_CLIPS,
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "MELD",
                "MER-UniBench/meld-process",
                CORPORA,
                (Task.MER,),
                tuple(sorted(MELD_EMOTIONS)),
                classes=MELD_EMOTIONS,
                video=("subvideo",),
                audio=("subaudio",),
            ),
            "original": TableCsv(
                "MELD",
                {
                    "train": "MELD.Raw/train_sent_emo.csv",
                    "validation": "MELD.Raw/dev_sent_emo.csv",
                    "test": "MELD.Raw/test_sent_emo.csv",
                },
                {
                    "subtitle": Column("Utterance"),
                    "speaker": Column("Speaker"),
                    "label": Column("Emotion"),
                    "sentiment": Column("Sentiment"),
                    "dialogue": Column("Dialogue_ID"),
                    "utterance": Column("Utterance_ID"),
                    "season": Column("Season", optional=True),
                    "episode": Column("Episode", optional=True),
                },
                id="{prefix}_dia{dialogue}_utt{utterance}",
                video=(
                    "MELD.Raw/{clips}/dia{dialogue}_utt{utterance}",
                    "MELD.Raw/{archive}/{clips}/dia{dialogue}_utt{utterance}",
                ),
                vocabulary=tuple(sorted(MELD_EMOTIONS)),
                words_of_split={
                    "train": {"prefix": "train", "archive": "train", "clips": "train_splits"},
                    "validation": {"prefix": "val", "archive": "dev", "clips": "dev_splits_complete"},
                    "test": {"prefix": "test", "archive": "test", "clips": "output_repeated_splits_test"},
                },
                mended=True,
            ),
        },
        THREE,
        {"train": 9989, "validation": 1109, "test": 2610},
        "GPL-3.0 annotation",
        f"MELD.Raw.tar.gz from affective-meld.github.io, with the three archives in it unpacked in place; or {UNIBENCH}",
        "Poria et al., MELD, ACL 2019",
        (
            "ids are those of MER-UniBench in both layouts: train_, val_ or test_, then dia and utt",
            "train_dia125_utt3 is corrupt, val_dia110_utt7 is missing, test_dia279_utt15 is problematic",
            "test_dia38_utt4 and test_dia220_utt0 are minutes long: eight uniform frames mean little there",
            "the folder of test clips also has final_videos_testdia*.mp4 and ._* files; neither is listed, and neither is read",
            "curly quotes in the tables are in cp1252, or were decoded in the wrong encoding; both are put right",
        ),
        clip_names="MELD",
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "IEMOCAP",
                "MER-UniBench/iemocap-process",
                {"train": "whole_corpus:Ses0[1-4]", "test": "whole_corpus:Ses05"},
                (Task.MER,),
                tuple(sorted(IEMOCAP_EMOTIONS)),
                classes=IEMOCAP_EMOTIONS,
                labels="label_4way.npz",
                video=("subvideo-tgt",),
                audio=("subaudio",),
            ),
            "original": _IEMOCAP,
            "original_right": replace(_IEMOCAP, named_side="right"),
            "original_6way": replace(
                _IEMOCAP,
                vocabulary=tuple(sorted(set(IEMOCAP_SIX_CODES.values()))),
                codes=IEMOCAP_SIX_CODES,
                left_out=IEMOCAP_OTHERS,
            ),
        },
        ("train", "test"),
        {"train": 4290, "test": 1241},
        "USC licence",
        f"sail.usc.edu/iemocap, unpacked as IEMOCAP/ with Session1 to Session5 in it; or {UNIBENCH}",
        "Busso et al., IEMOCAP, LRE 2008",
        (
            "test is session 5, so no speaker is in both splits",
            "four classes, with excited as happy; the other turns are left out. layout=original_6way has excited and frustrated "
            "too, and other counts than the published ones",
            "the original has one video per dialogue with both speakers: a clip is a time and a half of the picture",
            "not established: which half shows whom. As MER-UniBench does, layout original puts the person whom the dialogue's "
            "letter names on the left; layout original_right puts that person on the right",
            "a copy without dialog/avi is read as sound alone",
            "the table of subtitles has two turns twice and two empty ones",
        ),
        clip_names="IEMOCAP",
    ),
)
