"""The two tables at the end of a run, for a terminal: scores after each phase, and what each modality carries."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

ROWS: tuple[tuple[str, str, str], ...] = (
    ("mer.hit_rate", "MER", "hit rate"),
    ("msa.waf", "MSA", "WAF"),
    ("mir.waf", "MIR", "WAF"),
    ("ov_mer.set_f", "OV-MER", "set F"),
    ("eri.rule_label_overlap", "ERI", "label overlap (rule)"),
    ("eri.rule_clue_overlap", "ERI", "clue overlap (rule)"),
    ("erg.emotion_accuracy", "ERG", "emotion accuracy"),
    ("erg.hit_rate", "ERG", "coarse hit rate"),
    ("parsed", "all", "answers parsed"),
)
"""Key, task and name of each score, in the order of the tables."""

PHASES = {
    "phase1": "phase 1",
    "phase1_speech": "phase 1, speech",
    "phase1_visual": "phase 1, visual",
    "phase2": "phase 2",
    "phase3": "phase 3",
}
MODALITIES = {
    "text": "text only",
    "speech": "speech only",
    "face": "face only",
    "visual": "visual only",
    "no_fusion": "without fusion",
    "all": "all",
}


def percent(score: float | None) -> str:
    """Format a score of [0, 1] as per cent with one decimal; a dash where there is none."""
    return "–" if score is None or score != score else f"{100 * score:.1f}"


def score_table(
    scores: Mapping[str, Mapping[str, float]], chance: Mapping[str, float] | None = None, *, title: str | None = None
) -> Table:
    """Rows: tasks. Columns: chance level, then one for each phase given. In per cent."""
    table = Table(title=title, title_justify="left")
    table.add_column("task")
    table.add_column("score")
    table.add_column("chance", justify="right", style="dim")
    for position, phase in enumerate(scores):
        last = position == len(scores) - 1
        table.add_column(f"after {PHASES.get(phase, phase)}", justify="right", style="bold" if last else "")
    for key, task, name in ROWS:
        if any(key in phase for phase in scores.values()):
            cells = [percent((chance or {}).get(key)), *(percent(phase.get(key)) for phase in scores.values())]
            table.add_row(task, name, *cells)
    return table


def ablation_table(ablation: Mapping[str, Mapping[str, float]], *, title: str | None = None) -> Table:
    """Rows: what the model was given. Columns: the scores that any row has. In per cent."""
    shown = [row for row in ROWS if any(row[0] in scores for scores in ablation.values())]
    table = Table(title=title, title_justify="left")
    table.add_column("given")
    for _, task, name in shown:
        table.add_column(f"{task}\n{name}", justify="right")
    for subset, scores in ablation.items():
        style = "bold" if subset == "all" else ""
        table.add_row(MODALITIES.get(subset, subset), *(percent(scores.get(key)) for key, _, _ in shown), style=style)
    return table
