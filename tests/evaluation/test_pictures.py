"""Tables and pictures are drawn from made-up numbers, without a warning, whatever characters an answer holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from nano_emox.evaluation import pictures
from nano_emox.evaluation.contact_sheet import Cell, contact_sheet
from nano_emox.evaluation.tables import ablation_table, score_table

pytestmark = pytest.mark.filterwarnings("error")
SCORES = {f"phase{n}": {"mer.hit_rate": 0.2 * n, "msa.waf": 0.3 * n, "parsed": 0.3 * n} for n in (1, 2, 3)}
ABLATION = {"text": {"mer.hit_rate": 0.4}, "all": {"mer.hit_rate": 0.9}}
CHANCE = {"mer.hit_rate": 0.15, "msa.waf": 0.5}


def is_picture(path: Path) -> bool:
    image = imread(path)
    return min(image.shape[:2]) > 150 and image[..., :3].std() > 0.01


def test_score_table() -> None:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(score_table(SCORES, CHANCE), ablation_table(ABLATION))
    text = capture.get()
    assert [cell.strip() for cell in text.splitlines()[3].split("│")[1:-1]] == [
        "MER", "hit rate", "15.0", "20.0", "40.0", "60.0",
    ]  # fmt: skip
    assert "text only" in text


def test_training_curves(tmp_path: Path) -> None:
    rows = [
        {"step": step, "phase": f"phase{1 + step // 20}", "train_loss": 3 - step / 30,
         "val_loss": 2.0 if step % 10 == 0 else None}
        for step in range(60)
    ]  # fmt: skip
    rows[3]["train_loss"] = float("nan")
    assert is_picture(pictures.training_curves(rows, tmp_path / "deep" / "curves.png", note="synthetic"))


def test_bars_and_matrices(tmp_path: Path) -> None:
    gates = {"happy": [0.5, 0.3, 0.2], "sad": [0.1, 0.2, 0.7]}
    assert is_picture(pictures.gate_weights(gates, tmp_path / "gates.png"))
    assert is_picture(pictures.confusion_matrix(["a", "b", "b"], ["a", "快", None], tmp_path / "confusion.png"))
    assert is_picture(pictures.ablation_bars(ABLATION, tmp_path / "ablation.png", chance=0.15))
    assert is_picture(pictures.task_scores(SCORES, CHANCE, tmp_path / "scores.png"))


def test_contact_sheet(tmp_path: Path) -> None:
    frame = np.zeros((32, 32, 3), dtype=np.uint8)
    cells = [Cell(frame, "happy, 高兴 $x$ \u0000", "sad", correct, "mer") for correct in (True, False, None)]
    assert is_picture(contact_sheet([*cells, Cell(frame, "", "")], tmp_path / "sheet.png", columns=3))
    with pytest.raises(ValueError, match="not uint8"):
        contact_sheet([Cell(frame.astype(np.float32), "a", "b")], tmp_path / "sheet.png")
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], tmp_path / "sheet.png")


def test_text_is_made_printable() -> None:
    assert pictures.printable("高 $5 a") == "· \\$5 a"
