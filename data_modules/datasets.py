"""The data sets, as declarations: which reader, which columns, which classes; where to get them and what to beware of.

Adding a data set of a known annotation family means adding an entry here and no code. Facts were checked against the
published files where they are open; gated sets follow what several public readers agree on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.class_folder import ClassFolder, ListedClasses, NamedClasses
from data_modules.readers.corpus_npz import CorpusNpz
from data_modules.readers.dialog_json import EmpatheticDialogues, SeriesDialogues
from data_modules.readers.intent_tsv import IntentTsv
from data_modules.readers.lookup import Reader
from data_modules.readers.named_json import NamedJson
from data_modules.readers.open_set_csv import OpenSetCsv
from data_modules.readers.table_csv import TableCsv
from data_modules.record import Sample, Task
from data_modules.vocabularies import (
    CREMA_SENTENCES,
    EMPATHETIC_DIALOGUES,
    MER_EMOTIONS,
    MINTREC,
    MINTREC2,
    SEVEN_EMOTIONS,
    SEVEN_SPELLING,
)


@dataclass(frozen=True)
class DatasetCard:
    """One data set. `published` is the number of samples per split that the release has (0: not established)."""

    reader: Reader
    splits: tuple[str, ...]
    published: Mapping[str, int]
    licence: str
    how_to_obtain: str
    citation: str
    quirks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.reader.dataset

    @property
    def folder(self) -> str:
        """The folder or file below the data root by which its presence is known."""
        return self.reader.marker

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What its labels can answer."""
        return self.reader.tasks

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Its classes, sorted; empty where labels are open."""
        return self.reader.vocabulary


def load_samples(name: str, root: str | Path, split: str) -> list[Sample]:
    """All samples of one split (`train`, `validation`, `test`), or of every split (`all`), in a fixed order.

    Args:
        name: a key of `DATASETS`.
        root: the data root, which holds one folder per data set.

    Raises:
        KeyError: no data set of that name.
        FileNotFoundError: it is not below the root; the message says how to obtain it.
        ValueError: it has no such split, or its annotation is broken (`AnnotationError` names file and line).
    """
    if name not in DATASETS:
        raise KeyError(f"no data set {name!r}; there are {sorted(DATASETS)}")
    card = DATASETS[name]
    if split != "all" and split not in card.splits:
        raise ValueError(f"{name} has no split {split!r}; it has {list(card.splits)}")
    if not (Path(root) / card.folder).exists():
        raise FileNotFoundError(f"{name}: {Path(root) / card.folder} is missing; {card.how_to_obtain}")
    samples: list[Sample] = []
    for part in card.splits if split == "all" else (split,):
        seen = {sample.id for sample in samples}  # AvaMERG's validation and test can be the same dialogues
        samples += [sample for sample in card.reader.read(Path(root), part) if sample.id not in seen]
    return samples


_UNIBENCH = "apply for MER-UniBench (AffectGPT, github.com/zeroQiaoba/AffectGPT) and unpack it below MER-UniBench/"
_MER_EULA = "sign the EULA at huggingface.co/MERChallenge; no redistribution"
_THREE = ("train", "validation", "test")
_CORPORA = {"train": "train_corpus", "validation": "val_corpus", "test": "test_corpus"}

DATASETS: Mapping[str, DatasetCard] = {
    "CREMA-D": DatasetCard(
        NamedClasses(
            "CREMA-D",
            "CREMA-D",
            ("anger", "disgust", "fear", "happy", "neutral", "sad"),
            codes={"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"},
            sentences=CREMA_SENTENCES,
            splits={"train": "1234567", "validation": "89", "test": "0"},
        ),
        _THREE,
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
    "M3ED": DatasetCard(
        SeriesDialogues(
            "M3ED",
            "M3ED",
            SEVEN_EMOTIONS,
            spelling=SEVEN_SPELLING,
            splits={s: f"splitInfo/movie_list_{f}.txt" for s, f in zip(_THREE, ("train", "val", "test"), strict=True)},
        ),
        _THREE,
        {"train": 17427, "validation": 2821, "test": 4201},
        "not stated",
        "annotations and the link to the speech clips: github.com/AIM3-RUC/RUCM3ED",
        "Zhao et al., M3ED, ACL 2022",
        ("speech only: the videos were never released", "12 sound files are empty"),
    ),
    "CAER": DatasetCard(
        ClassFolder("CAER", "CAER", SEVEN_EMOTIONS, {s: s for s in _THREE}, SEVEN_SPELLING),
        _THREE,
        {"all": 13201},
        "research only",
        "request form at caer-dataset.github.io",
        "Lee et al., CAER, ICCV 2019",
        ("base names repeat in every class and split",),
    ),
    "FERV39k": DatasetCard(
        ListedClasses(
            "FERV39k",
            "FERV39k",
            SEVEN_EMOTIONS,
            {s: f"4_setups/All_scenes/{s}_All.csv" for s in ("train", "test")},
            media=("0_7_LabelClips", "2_ClipsforFaceCrop", "3_ClipsforScenImages"),
            spelling=SEVEN_SPELLING,
        ),
        ("train", "test"),
        {"train": 31088, "test": 7847},
        "research only, by application",
        "e-mail application, see wangyanckxx.github.io/Proj_CVPR2022_FERV39k.html",
        "Wang et al., FERV39k, CVPR 2022",
        ("numbers restart in every scene and emotion", "some copies are images only"),
    ),
    "MIntRec": DatasetCard(
        IntentTsv(
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
        ),
        _THREE,
        {"train": 1334, "validation": 445, "test": 445},
        "research only",
        "github.com/thuiar/MIntRec (Google Drive)",
        "Zhang et al., MIntRec, ACM MM 2022",
        ("the released training merges train and dev",),
    ),
    "MIntRec2.0": DatasetCard(
        IntentTsv(
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
        ),
        _THREE,
        {"train": 6165, "validation": 1106, "test": 2033},
        "CC BY-NC-SA 4.0",
        "github.com/thuiar/MIntRec2.0 (Google Drive)",
        "Zhang et al., MIntRec2.0, ICLR 2024",
        ("the paper's test has 1,044 of these 2,033 and its training 841 dev utterances: rows are not comparable",),
    ),
    "MER-Caption+": DatasetCard(
        OpenSetCsv(
            "MER-Caption+",
            "MER2025",
            {"train": "track2_train_mercaptionplus.csv"},
            {"train": "track3_train_mercaptionplus.csv"},
            "subtitle_chieng.csv",
            "english",
            video=("video",),
            audio=("audio",),
        ),
        ("train",),
        {"train": 31327},
        "CC BY-NC 4.0, EULA",
        _MER_EULA,
        "Lian et al., AffectGPT, ICML 2025",
        ("English subtitles are machine translations and can be empty", "some samplenew3_* files have no video stream"),
    ),
    "MERR-Fine": DatasetCard(
        NamedJson(
            "MERR-Fine",
            {"train": "MERR/MERR_fine_grained.json"},
            description="smp_reason_caption",
            subtitle="text",
            label="pseu_emotion",
            video=("MER2023/test3",),
            audio=("MER2023/audio",),
        ),
        ("train",),
        {"train": 4487},
        "annotation open, media EULA",
        f"annotation: github.com/ZebangCheng/Emotion-LLaMA; media: MER2023 test3, {_MER_EULA}",
        "Cheng et al., Emotion-LLaMA, NeurIPS 2024",
        ("names of the MER2025 download do not match these",),
    ),
    "AvaMERG": DatasetCard(
        EmpatheticDialogues("AvaMERG", "AvaMERG", EMPATHETIC_DIALOGUES),
        _THREE,
        {},
        "not stated",
        "huggingface.co/datasets/ZhangHanXD/AvaMERG",
        "Zhang et al., AvaMERG, WWW 2025",
        (
            "the public test.json has no labels",
            "without valid.json, validation and test are held out of train.json by dialogue",
        ),
    ),
    "MER2023": DatasetCard(
        CorpusNpz(
            "MER2023",
            "MER-UniBench/mer2023-dataset-process",
            {"train": "train_corpus", "test": "test1_corpus"},
            (Task.MER,),
            MER_EMOTIONS,
            score_range=(-5.0, 5.0),
            labels="label-6way.npz",
            language="zh",
        ),
        ("train", "test"),
        {"train": 3373, "test": 411},
        "EULA",
        _UNIBENCH,
        "Lian et al., MER 2023, ACM MM 2023",
    ),
    "MER2024": DatasetCard(
        CorpusNpz(
            "MER2024",
            "MER-UniBench/mer2024-dataset-process",
            {"train": "train_corpus", "test": "test1_corpus"},
            (Task.MER,),
            MER_EMOTIONS,
            labels="label-6way.npz",
            subtitles="transcription_merge.csv",
            subtitle_column="chinese",
            language="zh",
        ),
        ("train", "test"),
        {"test": 1169},
        "EULA",
        _UNIBENCH,
        "Lian et al., MER 2024",
        ("the subtitles are Chinese, as in the published evaluation", "many samplenew3_* files have no video stream"),
    ),
    "MELD": DatasetCard(
        CorpusNpz(
            "MELD",
            "MER-UniBench/meld-process",
            _CORPORA,
            (Task.MER,),
            ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"),
            classes=("anger", "joy", "sadness", "neutral", "disgust", "fear", "surprise"),
            video=("subvideo",),
            audio=("subaudio",),
        ),
        _THREE,
        {"train": 9989, "validation": 1109, "test": 2610},
        "GPL-3.0 annotation",
        _UNIBENCH,
        "Poria et al., MELD, ACL 2019",
        ("train_dia125_utt3 is corrupt", "test_dia38_utt4 and test_dia220_utt0 are minutes long"),
    ),
    "IEMOCAP": DatasetCard(
        CorpusNpz(
            "IEMOCAP",
            "MER-UniBench/iemocap-process",
            {"train": "whole_corpus:Ses0[1-4]", "test": "whole_corpus:Ses05"},
            (Task.MER,),
            ("anger", "happy", "neutral", "sad"),
            classes=("happy", "sad", "neutral", "anger"),
            labels="label_4way.npz",
            video=("subvideo-tgt",),
            audio=("subaudio",),
        ),
        ("train", "test"),
        {"train": 4290, "test": 1241},
        "USC licence",
        f"sail.usc.edu/iemocap, then {_UNIBENCH}",
        "Busso et al., IEMOCAP, LRE 2008",
        ("test is session 5",),
    ),
    "CMU-MOSI": DatasetCard(
        CorpusNpz(
            "CMU-MOSI",
            "MER-UniBench/cmumosi-process",
            _CORPORA,
            (Task.MSA,),
            score_range=(-3.0, 3.0),
            video=("subvideo",),
            audio=("subaudio",),
        ),
        _THREE,
        {"train": 1284, "validation": 229, "test": 686},
        "research only",
        _UNIBENCH,
        "Zadeh et al., CMU-MOSI, 2016",
        ("subtitles are in capitals", "the published metric leaves out scores of 0"),
    ),
    "CMU-MOSEI": DatasetCard(
        CorpusNpz(
            "CMU-MOSEI",
            "MER-UniBench/cmumosei-process",
            _CORPORA,
            (Task.MSA,),
            score_range=(-3.0, 3.0),
            video=("subvideo_new", "subvideo"),
            audio=("subaudio",),
        ),
        _THREE,
        {"train": 16326, "validation": 1871, "test": 4659},
        "research only",
        _UNIBENCH,
        "Zadeh et al., CMU-MOSEI, ACL 2018",
        ("label times of the original release are wrong; the clips here were cut again",),
    ),
    "CH-SIMS": DatasetCard(
        CorpusNpz("CH-SIMS", "MER-UniBench/sims-process", _CORPORA, (Task.MSA,), score_range=(-1.0, 1.0), language="zh"),
        _THREE,
        {"train": 1368, "validation": 456, "test": 457},
        "research only",
        _UNIBENCH,
        "Yu et al., CH-SIMS, ACL 2020",
    ),
    "CH-SIMSv2": DatasetCard(
        CorpusNpz(
            "CH-SIMSv2",
            "MER-UniBench/simsv2-process",
            _CORPORA,
            (Task.MSA,),
            score_range=(-1.0, 1.0),
            language="zh",
            video=("video_new", "video"),
        ),
        _THREE,
        {"train": 2722, "validation": 647, "test": 1034},
        "research only",
        _UNIBENCH,
        "Liu et al., CH-SIMS v2, ICMI 2022",
        ("its test contains the whole test of CH-SIMS: reporting both counts those clips twice",),
    ),
    "OV-MERD": DatasetCard(
        OpenSetCsv(
            "OV-MERD",
            "MER2025",
            {"test": "track2_train_ovmerd.csv"},
            {"test": "track3_train_ovmerd.csv"},
            "subtitle_chieng.csv",
            "english",
            video=("video",),
            audio=("audio",),
        ),
        ("test",),
        {"test": 332},
        "EULA",
        _MER_EULA,
        "Lian et al., OV-MER, ICML 2025",
        ("332 clips; AffectGPT's OV-MERD+ has 532, and which one the paper's row used is not known",),
    ),
    "EMER": DatasetCard(
        TableCsv(
            "EMER",
            {"test": "EMER/gt-eng.csv"},
            "names",
            "emotions",
            "subtitles",
            "reasons",
            video=("MER2023/train", "EMER/video"),
            audio=("MER2023/audio", "EMER/audio"),
        ),
        ("test",),
        {"test": 100},
        "table open, media EULA",
        f"table: github.com/zeroQiaoba/AffectGPT; media: MER2023 train, {_MER_EULA}",
        "Lian et al., EMER, 2023",
        ("7 subtitles are empty",),
    ),
}
