"""Emotion recognition with closed labels, training: CREMA-D, M3ED, CAER, FERV39k."""

from __future__ import annotations

from dataclasses import replace

from data_modules.cards.card import THREE, DatasetCard, Subset
from data_modules.readers.class_folder import ClassFolder, ListedClasses
from data_modules.readers.messages_json import MessagesJson
from data_modules.readers.named_classes import NamedClasses
from data_modules.readers.series_json import SeriesJson
from data_modules.record import Task
from data_modules.vocabularies import (
    CREMA_SENTENCES,
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
)
