"""Sentiment with a score: CMU-MOSI, CMU-MOSEI, CH-SIMS, CH-SIMS v2."""

from __future__ import annotations

from dataclasses import replace

from data_modules.cards.card import CORPORA, THREE, UNIBENCH, DatasetCard
from data_modules.readers.corpus_npz import CorpusNpz
from data_modules.readers.table_csv import Beside, Column, TableCsv
from data_modules.record import Task

_MODES = {"train": "train", "validation": "valid(ation)?|val|dev", "test": "test"}
_RAW = "github.com/thuiar/MMSA (Google Drive, Baidu): Raw/ and the label table"
_TABLE = {
    "video": Column("video_id", 0),
    "clip": Column("clip_id", 1),
    "subtitle": Column("text", 2),
    "score": Column("label", 3),
    "sentiment": Column("annotation", 4, optional=True),
    "split": Column("mode", 5),
}


def _label_table(dataset: str, table: str) -> TableCsv:
    """The label table of MMSA: one file, each row with its split; CMU's order of columns where there is no header."""
    return TableCsv(
        dataset,
        {split: f"{dataset}/{table}:{mode}" for split, mode in _MODES.items()},
        _TABLE,
        id="{video}_{clip}",
        video=(
            f"{dataset}/Raw/{{video}}/{{clip}}",
            f"{dataset}/Raw/Video/Segmented/{{video}}_{{clip}}",
            f"{dataset}/Raw/{{video}}_{{clip}}",
        ),
        audio=(f"{dataset}/Raw/Audio/Segmented/{{video}}_{{clip}}",),
        tasks=(Task.MSA,),
        score_range=(-3.0, 3.0),
        headerless=True,
    )


def _chinese_label_table(dataset: str, table: str) -> TableCsv:
    """The same for CH-SIMS: the scores of text, sound and picture alone stand before `annotation` and `mode`."""
    return replace(
        _label_table(dataset, table),
        columns={
            **_TABLE,
            "score_text": Column("label_t", 4, optional=True),
            "score_audio": Column("label_a", 5, optional=True),
            "score_video": Column("label_v", 6, optional=True),
            "sentiment": Column("annotation", 7, optional=True),
            "split": Column("mode", 8),
        },
        id="{video}_{clip:0>4}",
        video=(f"{dataset}/Raw/{{video}}/{{clip:0>4}}", f"{dataset}/Raw/{{video}}/{{clip}}"),
        audio=(),
        score_range=(-1.0, 1.0),
        encodings=("utf-8-sig", "gb18030"),
        language="zh",
    )


_SIMS = _chinese_label_table("CH-SIMS", "label.csv")
_SIMS_ENGLISH = {"subtitle": Beside("CH-SIMS/metadata/Translation.csv", ("video_id", "clip_id"), "English", "{0}_{1:0>4}")}

CARDS = (
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "CMU-MOSI",
                "MER-UniBench/cmumosi-process",
                CORPORA,
                (Task.MSA,),
                score_range=(-3.0, 3.0),
                video=("subvideo",),
                audio=("subaudio",),
            ),
            "original": _label_table("CMU-MOSI", "label.csv"),
        },
        THREE,
        {"train": 1284, "validation": 229, "test": 686},
        "research only",
        f"{_RAW}; or {UNIBENCH}",
        "Zadeh et al., CMU-MOSI, 2016",
        (
            "subtitles are in capitals",
            "the published metric leaves out scores of 0",
            "copies of label.csv differ in the order of columns and some have no header: then video_id, clip_id, text, label, annotation, "
            "mode is assumed",
        ),
        clip_names="CMU-MOSI",
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "CMU-MOSEI",
                "MER-UniBench/cmumosei-process",
                CORPORA,
                (Task.MSA,),
                score_range=(-3.0, 3.0),
                video=("subvideo_new", "subvideo"),
                audio=("subaudio",),
            ),
            "original": _label_table("CMU-MOSEI", "label.csv"),
        },
        THREE,
        {"train": 16326, "validation": 1871, "test": 4659},
        "research only",
        f"{_RAW}; or {UNIBENCH}",
        "Zadeh et al., CMU-MOSEI, ACL 2018",
        (
            "label times of the original release are wrong; the clips of MER-UniBench were presumably cut again",
            "its table of subtitles is empty in the MERTools mirror: take it from Baidu",
            "copies of label.csv differ in the order of columns, as for CMU-MOSI",
        ),
        clip_names="CMU-MOSEI",
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "CH-SIMS", "MER-UniBench/sims-process", CORPORA, (Task.MSA,), score_range=(-1.0, 1.0), language="zh"
            ),
            "original": replace(
                _SIMS,
                splits={split: f"CH-SIMS/metadata/sentiment/label_M.csv:{split}" for split in THREE},
                columns={
                    "video": Column("video_id", 0),
                    "clip": Column("clip_id", 1),
                    "subtitle": Column("text", 2),
                    "score": Column("label"),
                    "sentiment": Column("annotation", optional=True),
                },
                rows={
                    split: f"CH-SIMS/metadata/{file}_index.csv"
                    for split, file in zip(THREE, ("train", "val", "test"), strict=True)
                },
                beside=_SIMS_ENGLISH,
                headerless=False,
            ),
            "mmsa": replace(_SIMS, beside=_SIMS_ENGLISH),
        },
        THREE,
        {"train": 1368, "validation": 456, "test": 457},
        "research only",
        f"{_RAW}; or {UNIBENCH}",
        "Yu et al., CH-SIMS, ACL 2020",
        (
            "subtitles are English in MER-UniBench, and here where metadata/Translation.csv is there; otherwise Chinese",
            "the index tables hold numbers of rows of label_M.csv, from 0",
            "all of it is in CH-SIMS v2 too, in the same splits",
        ),
        clip_names="CH-SIMS",
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "CH-SIMSv2",
                "MER-UniBench/simsv2-process",
                CORPORA,
                (Task.MSA,),
                score_range=(-1.0, 1.0),
                language="zh",
                video=("video_new", "video"),
            ),
            "original": _chinese_label_table("CH-SIMSv2", "meta.csv"),
        },
        THREE,
        {"train": 2722, "validation": 647, "test": 1034},
        "research only",
        f"github.com/thuiar/ch-sims-v2 (Google Drive, Baidu): Raw/ and meta.csv; or {UNIBENCH}",
        "Liu et al., CH-SIMS v2, ICMI 2022",
        (
            "its test contains the whole test of CH-SIMS: reporting both counts those clips twice",
            "subtitles are English in MER-UniBench and Chinese in meta.csv",
            "whether clip numbers in meta.csv are padded with zeros is not established: ids have four digits, files are found either way",
        ),
        clip_names="CH-SIMS",
    ),
)
