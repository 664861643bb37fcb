"""Published numbers of Nano-EmoX and its peers, in per cent, to be shown beside a run's own and always marked so.

Read off the papers' tables and figures; arithmetic that does not agree with itself is said in a note, never corrected
in place. A published score follows its authors' protocol (checkpoints chosen on the test set, sampled answers, an LLM that
extracts labels or judges), so it is a landmark, not an opponent of equal rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "Nano-EmoX"


@dataclass(frozen=True, slots=True)
class Published:
    """One number of a paper."""

    model: str
    dataset: str  # a name of data_modules.datasets
    score: str  # a name of `score_predictions`
    value: float  # per cent, as printed
    source: str
    note: str = ""  # what is wrong with it, or what it may not be compared with


_UNIBENCH = ["MER2023", "MER2024", "MELD", "IEMOCAP", "CMU-MOSI", "CMU-MOSEI", "CH-SIMS", "CH-SIMSv2", "OV-MERD"]
_SCORES = ("mer.hit_rate",) * 4 + ("msa.waf",) * 4 + ("ov_mer.set_f",)
_TABLE2 = "Nano-EmoX, Table 2 (MER-UniBench)"
_MER_UNIBENCH = """
Nano-EmoX | 79.09 77.94 56.55 60.12 76.82 79.81 86.25 84.76 64.75 | 74.01
Nano-EmoX, joint training | 74.26 78.61 54.27 61.54 80.71 79.52 84.64 83.31 62.68 | 73.28
AffectGPT 8.3B | 78.54 78.80 55.65 60.54 81.30 80.90 88.49 86.18 62.52 | 74.77
AffectGPT (s), P2E | 72.43 77.83 50.19 57.64 80.40 79.97 83.28 83.23 63.75 | 72.08
AffectGPT (s) | 73.45 74.71 47.69 53.14 75.51 71.30 82.50 84.10 62.43 | 69.43
Emotion-LLaMA | 59.38 73.62 46.76 55.47 66.13 67.66 78.32 77.23 52.97 | 64.17
Qwen2-VL-7B | 59.81 69.14 48.05 50.53 74.10 58.35 78.65 77.43 55.61 | 63.52
R1-Omni | 58.30 69.41 40.87 50.18 55.56 48.62 74.71 76.67 51.84 | 58.46
SALMONN | 55.53 45.38 45.62 46.84 81.00 67.03 68.69 68.69 45.00 | 57.89
MiniCPM-V-2.6-8B | 46.67 45.31 40.27 36.31 74.96 57.44 74.85 75.04 50.04 | 55.65
MobileVLM V2-3B | 37.70 53.87 30.72 53.00 55.81 44.87 69.17 65.72 33.86 | 49.95
MobileVLM V2-1.7B | 36.65 47.03 33.37 49.24 41.00 56.49 51.46 51.94 36.96 | 44.90
"""
_NOTES = {
    (
        "SALMONN",
        "CH-SIMSv2",
    ): "misprint: the column before is repeated; AffectGPT's paper has 65.93, and so has the printed average",
}
AVERAGE_NOTES = {"MobileVLM V2-3B": "misprint: the nine cells average 49.41", "SALMONN": "computed with 65.93 for CH-SIMSv2"}
"""What is wrong with printed averages of MER-UniBench."""

_TABLE5 = "Nano-EmoX, Table 5 (AvaMERG)"
_CORPUS = "corpus-level Dist-n beside sentence-level ones: not comparable with any other row"
_E3RG = "copied from E3RG, whose Hit uses the unprojected gold and another prompt"
_AVAMERG = """
Nano-EmoX | 54.82 91.13 95.47 99.83 |
Nano-EmoX, joint training | 34.91 74.79 95.41 99.73 |
AffectGPT (s) | 47.36 90.88 95.44 99.81 |
MobileVLM V2-3B | 25.18 61.42 78.66 97.41 |
MobileVLM V2-1.7B | 4.07 21.14 75.07 96.91 |
Empatheia | 48.51 - 2.69 14.76 | corpus
Ola-Omni-7B | - 75.6 98.90 99.80 | e3rg
Qwen2.5-Omni-7B | - 72.3 98.60 99.70 | e3rg
MiniCPM-o-2.6 | - 65.8 95.20 99.60 | e3rg
"""
_SHIPPED = "on the released split of 1,044 clips, not MIntRec2.0's own test set of 2,033"
_MIR = """
Nano-EmoX | MIntRec | - 58.17 - | Nano-EmoX, Tables S4 and S5 | weighted F1 only; the full Table 3 was not at hand
MVCL-DAF++ | MIntRec | 76.18 75.66 76.17 | MVCL-DAF++ |
ECFMIR | MIntRec | 74.38 74.51 75.05 | ECFMIR |
TCL-MAP | MIntRec | 73.62 73.31 73.72 | TCL-MAP repository | ECFMIR's own run of it: 72.36 72.21 73.11
MulT | MIntRec | 72.52 72.31 72.85 | TCL-MAP repository |
Qwen2-VL-7B, fine-tuned | MIntRec | 80.5 - - | MMLA | accuracy, read off a figure; zero-shot 56.6
GPT-4o, zero-shot | MIntRec | 63.4 - - | MMLA | accuracy, read off a figure
Nano-EmoX | MIntRec2.0 | - 47.27 - | Nano-EmoX, Tables S4 and S5 | shipped
MVCL-DAF++ | MIntRec2.0 | - 59.23 60.51 | MVCL-DAF++ | the printed accuracy repeats a MIntRec number and is left out
Qwen2-VL-7B, fine-tuned | MIntRec2.0 | 64.2 - - | MMLA | accuracy, read off a figure; zero-shot 36.6
GPT-4o, zero-shot | MIntRec2.0 | 42.3 - - | MMLA | accuracy, read off a figure
"""
_JUDGE = "mean of a judge's 1 to 10, times ten: not comparable with the rule, nor with another judge"
_EMER = {"Nano-EmoX": (68.0, "Nano-EmoX, Table S3"), "Emotion-LLaMA": (70.4, "Emotion-LLaMA; another run of the judge")}


def published_scores() -> tuple[Published, ...]:
    """All published numbers, the paper's own row first for each data set."""
    rows: list[Published] = []
    for model, cells, _ in _lines(_MER_UNIBENCH):
        for dataset, score, value in zip(_UNIBENCH, _SCORES, cells.split(), strict=True):
            rows.append(Published(model, dataset, score, float(value), _TABLE2, _NOTES.get((model, dataset), "")))
    for model, cells, kind in _lines(_AVAMERG):
        for score, value in zip(("emotion_accuracy", "hit_rate", "dist_1", "dist_2"), cells.split(), strict=True):
            note = _E3RG if kind == "e3rg" else _CORPUS if kind == "corpus" and "dist" in score else ""
            if (model, score) == ("Ola-Omni-7B", "dist_1"):
                note += "; this is its one-shot value, beside a zero-shot Hit"
            if value != "-":
                rows.append(Published(model, "AvaMERG", f"erg.{score}", float(value), _TABLE5, note))
    for model, dataset, cells, source, note in _lines(_MIR):
        for score, value in zip(("accuracy", "waf", "weighted_precision"), cells.split(), strict=True):
            if value != "-":
                text = _SHIPPED if note == "shipped" else note
                rows.append(Published(model, dataset, f"mir.{score}", float(value), source, text))
    rows += [Published(model, "EMER", "eri.judge_average", *entry, _JUDGE) for model, entry in _EMER.items()]
    return tuple(rows)


def printed_averages() -> Mapping[str, float]:
    """MER-UniBench averages as printed, by model; `AVERAGE_NOTES` has the misprints."""
    return {model: float(average) for model, _, average in _lines(_MER_UNIBENCH)}


def published_beside(dataset: str, score: str) -> list[Published]:
    """The published numbers of one score on one data set."""
    return [row for row in published_scores() if (row.dataset, row.score) == (dataset, score)]


def _lines(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
