"""Sentiment with a score: CMU-MOSI, CMU-MOSEI, CH-SIMS, CH-SIMS v2."""

from __future__ import annotations

from data_modules.cards.card import CORPORA, THREE, UNIBENCH, DatasetCard
from data_modules.readers.corpus_npz import CorpusNpz
from data_modules.record import Task

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
            )
        },
        THREE,
        {"train": 1284, "validation": 229, "test": 686},
        "research only",
        UNIBENCH,
        "Zadeh et al., CMU-MOSI, 2016",
        ("subtitles are in capitals", "the published metric leaves out scores of 0"),
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
            )
        },
        THREE,
        {"train": 16326, "validation": 1871, "test": 4659},
        "research only",
        UNIBENCH,
        "Zadeh et al., CMU-MOSEI, ACL 2018",
        ("label times of the original release are wrong; the clips here were cut again",),
    ),
    DatasetCard(
        {
            "unibench": CorpusNpz(
                "CH-SIMS", "MER-UniBench/sims-process", CORPORA, (Task.MSA,), score_range=(-1.0, 1.0), language="zh"
            )
        },
        THREE,
        {"train": 1368, "validation": 456, "test": 457},
        "research only",
        UNIBENCH,
        "Yu et al., CH-SIMS, ACL 2020",
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
            )
        },
        THREE,
        {"train": 2722, "validation": 647, "test": 1034},
        "research only",
        UNIBENCH,
        "Liu et al., CH-SIMS v2, ICMI 2022",
        ("its test contains the whole test of CH-SIMS: reporting both counts those clips twice",),
    ),
)
