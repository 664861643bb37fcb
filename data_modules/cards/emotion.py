"""Emotion recognition with closed labels: eight data sets."""

from __future__ import annotations

from dataclasses import replace

from data_modules.cards.card import CORPORA, MER_CLIPS, MER_EULA, THREE, UNIBENCH, DatasetCard, Subset
from data_modules.readers.class_folder import ClassFolder, ListedClasses
from data_modules.readers.corpus_npz import CorpusNpz
from data_modules.readers.evaluation_txt import EvaluationTxt
from data_modules.readers.messages_json import MessagesJson
from data_modules.readers.named_classes import NamedClasses
from data_modules.readers.series_json import SeriesJson
from data_modules.readers.table_csv import Beside, Column, TableCsv
from data_modules.record import Task
from data_modules.vocabularies import (
    CREMA_SENTENCES,
    IEMOCAP_CODES,
    IEMOCAP_EMOTIONS,
    IEMOCAP_OTHERS,
    IEMOCAP_SIX_CODES,
    MELD_EMOTIONS,
    MER_EMOTIONS,
    SEVEN_EMOTIONS,
    SEVEN_SPELLING,
)

_ALL_TRAINS = {"as_released": {"train": Subset(THREE)}}
_CREMA_D = NamedClasses(
    "CREMA-D",
    "CREMA-D",
    "CREMA-D/AudioWAV",
    ("anger", "disgust", "fear", "happy", "neutral", "sad"),
    codes={"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"},
    sentences=CREMA_SENTENCES,
    splits={"train": "1234567", "validation": "89", "test": "0"},
)
_FERV39K = ListedClasses(
    "FERV39k",
    "FERV39k",
    "FERV39k/*LabelClips",
    SEVEN_EMOTIONS,
    {s: f"*_setups/All_scenes/{s}_All.csv" for s in ("train", "test")},
    media=("*LabelClips",),
    spelling=SEVEN_SPELLING,
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
            "original": _CREMA_D,
            "video": replace(_CREMA_D, marker="CREMA-D/VideoFlash", video=("VideoFlash",)),
            "mp3": replace(_CREMA_D, marker="CREMA-D/AudioMP3", audio=("AudioMP3",)),
            "released": MessagesJson(
                "CREMA-D",
                _CREMA_D.vocabulary,
                {s: f"CREMA-D/crema_d_annotations.json:.{{3}}[{digits}]" for s, digits in _CREMA_D.splits.items()},
                (Task.MER,),
                audio=("CREMA-D/audio", "CREMA-D/AudioWAV"),
                prefix="[A-Z][a-z]+_",
            ),
        },
        THREE,
        {"all": 7442},
        "ODbL",
        "git clone github.com/CheyneyComputerScience/CREMA-D, then git lfs pull",
        "Cao et al., CREMA-D, IEEE TAC 2014",
        (
            "no official split: ours is by actor (last digit 1-7 train, 8-9 validation, 0 test); subset as_released merges all",
            "labels are the intended emotions; what raters perceived is in meta where processedResults/summaryTable.csv is there",
            "layout original is the voice alone, as the paper uses it; layout video takes VideoFlash/*.flv, with the wav where "
            "there is one; layout mp3 takes AudioMP3",
            "without git-lfs the files are 130-byte pointers, and the quota of the repository is often used up",
            "1076_MTI_SAD_XX has no sound in any format; 1076_MTI_NEU_XX has none as flv or mp3",
            "1064_IEO_DIS_MD as flv or mp3 is a minute long and holds all displays of its sentence",
            "1040_ITH_SAD_X is misnamed and is read all the same",
            "the released list has no subtitles, though the sentences are known, and its files have the class before their names; "
            "ids and splits are the same as in the original",
        ),
        subsets=_ALL_TRAINS,
    ),
    DatasetCard(
        {
            "original": SeriesJson(
                "M3ED",
                "M3ED",
                SEVEN_EMOTIONS,
                spelling=SEVEN_SPELLING,
                splits={s: f"splitInfo/movie_list_{f}.txt" for s, f in zip(THREE, ("train", "val", "test"), strict=True)},
            ),
            "released": MessagesJson(
                "M3ED",
                SEVEN_EMOTIONS,
                {"train": "M3ED/m3ed_annotaton.json"},
                (Task.MER,),
                audio=("M3ED/audio", "M3ED/modality_speech"),
                prefix="[A-Z]_",
                spelling=SEVEN_SPELLING,
                language="zh",
            ),
        },
        THREE,
        {"train": 17427, "validation": 2821, "test": 4201},
        "not stated",
        "annotations and the link to the speech clips: github.com/AIM3-RUC/RUCM3ED",
        "Zhao et al., M3ED, ACL 2022",
        (
            "speech only: the videos were never released; the annotation and the sounds are separate downloads",
            "12 sound files are empty",
            "time codes in the annotation count frames (25 a second) after the last colon; meta has seconds",
            "not established: how utterances are spelt and whether the archive of sounds has inner folders; ids are only looked "
            "up, and sounds are found flat, nested, by series or by split",
            "the authors' list (m3ed_annotaton.json, so spelt) is not published; layout released reads what their code expects of "
            "it, as one training split",
            "relation_annotation_release.json lists 26 more dialogues than the 990 of the paper; it is not read",
            "subset as_released merges all splits, as the paper's counts imply",
        ),
        subsets=_ALL_TRAINS,
    ),
    DatasetCard(
        {"original": ClassFolder("CAER", "CAER", SEVEN_EMOTIONS, {s: s for s in THREE}, SEVEN_SPELLING)},
        THREE,
        {"all": 13201},
        "research only",
        "request form at caer-dataset.github.io",
        "Lee et al., CAER, ICCV 2019",
        (
            "base names repeat in every class and split, so ids are split/Class/number",
            "the authors merged it with FERV39k into one list (caer_ferv39k_ann.json) of renamed files; neither the list nor the "
            "renaming is published, so there is no released layout",
            "subset as_released merges all splits, as the paper's counts imply",
        ),
        subsets=_ALL_TRAINS,
    ),
    DatasetCard(
        {
            "original": _FERV39K,
            "images": replace(_FERV39K, marker="FERV39k/*ClipsforFaceCrop", media=("*ClipsforFaceCrop",)),
            "scene_images": replace(_FERV39K, marker="FERV39k/*ClipsforScenImages", media=("*ClipsforScenImages",)),
        },
        ("train", "test"),
        {"train": 31088, "test": 7847},
        "research only, by application",
        "e-mail application, see wangyanckxx.github.io/Proj_CVPR2022_FERV39k.html",
        "Wang et al., FERV39k, CVPR 2022",
        (
            "numbers restart in every scene and emotion, so ids are Scene/Emotion/number",
            "some copies are images only: layout images reads the face crops, layout scene_images the whole pictures",
            "the numbers at the front of the folders differ between copies; any are accepted, and so is a header in the lists",
            "the label is in the list and in the path; the list counts, contradictions are logged",
            "not established: how the clips were renamed for the authors' merged list with CAER",
            "subset as_released merges both splits, as the paper's counts imply",
        ),
        subsets={"as_released": {"train": Subset(("train", "test"))}},
    ),
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
