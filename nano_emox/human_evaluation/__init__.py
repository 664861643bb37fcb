"""Human blind evaluation of empathetic replies (supplementary, section E.3): forms out, ratings in, a table."""

from nano_emox.human_evaluation.agreement import kappa_of, score_ratings
from nano_emox.human_evaluation.form import render_form
from nano_emox.human_evaluation.ratings import read_key, read_ratings
from nano_emox.human_evaluation.study import DIMENSIONS, Study, draw_study, write_study

__all__ = [
    "DIMENSIONS",
    "Study",
    "draw_study",
    "kappa_of",
    "read_key",
    "read_ratings",
    "render_form",
    "score_ratings",
    "write_study",
]
