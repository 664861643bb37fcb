"""`report.html` of an evaluation: what was measured, how sure it is, beside what was published, and where it fails.

Frames of people are in it, so the file stays on the machine; only its numbers go to a logger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from data_modules.durable import write_atomically
from nano_emox.evaluation.errors import WorstError
from nano_emox.evaluation.html import figure, image, page, percent, section, span, table
from nano_emox.evaluation.intervals import Intervals
from nano_emox.evaluation.published import AVERAGE_NOTES, PAPER, Published, printed_averages, published_beside, published_scores
from nano_emox.evaluation.released import Outcome
from nano_emox.evaluation.tables import ROWS

HEADLINES = ("mer.hit_rate", "msa.waf", "ov_mer.set_f", "mir.waf", "eri.rule_label_overlap", "erg.emotion_accuracy")
TASK_NAMES = {
    "mer": "emotion", "msa": "sentiment", "ov_mer": "open words", "mir": "intent", "eri": "reasoning", "erg": "empathy",
}  # fmt: skip
CAVEATS = {
    "mer": "MER: one gold emotion, any number of answered words; precision is not asked for. Neutral clips count with the "
    "built-in lexicon and never with the released wheels.",
    "ov_mer": "OV-MER: what papers call WAF is this set-level F. It is not known whether the published row used OV-MERD or OV-MERD+.",
    "mir": "MIntRec2.0: the paper's test set has 1,044 of the 2,033 clips.",
    "eri": "ERI: published scores are a language model's 1 to 10; ours is a rule. So the radar has no published mark there.",
    "erg": "AvaMERG: the released protocol projects the gold emotion (anxious becomes sad) and not the answer, so even a perfect "
    "answer loses accuracy. Dist-n of sentences is near 100 for any short reply.",
}
SCORE_NAMES = {key: name for key, _, name in ROWS} | {
    "mir.accuracy": "accuracy", "mir.weighted_precision": "weighted precision", "ov_mer.precision": "precision",
    "ov_mer.recall": "recall", "erg.dist_1": "Dist-1, sentences", "erg.dist_2": "Dist-2, sentences",
    "erg.corpus_dist_1": "Dist-1, corpus", "erg.corpus_dist_2": "Dist-2, corpus", "eri.judge_average": "judge, ×10",
}  # fmt: skip


@dataclass(frozen=True)
class EvaluationReport:
    """Everything that the page shows. Scores are in [0, 1]; pictures are files, frames are JPEG bytes."""

    name: str
    summary: str
    scores: Mapping[str, float]
    by_dataset: Mapping[str, Mapping[str, float]]
    intervals: Intervals
    released: Mapping[str, Mapping[str, Outcome]]
    chance: Mapping[str, float]
    sizes: Mapping[str, int]
    settings: Mapping[str, str]
    stamps: Sequence[str] = ()
    warnings: Sequence[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    radar: Path | None = None
    confusions: Sequence[tuple[str, Path]] = ()
    wheels: Sequence[tuple[str, Path]] = ()
    errors: Sequence[tuple[WorstError, bytes | None]] = ()


def write_report(report: EvaluationReport, path: Path) -> Path:
    """Write the page, whole or not at all."""
    return write_atomically(path, page(f"{report.name}: evaluation", _body(report)))


def score_rows(report: EvaluationReport) -> list[tuple[str, int, str, float, float, float, str]]:
    """(data set, clips, score, value, low, high, released) for a logger's table."""
    rows = []
    for dataset, scores in report.by_dataset.items():
        intervals = report.intervals.by_dataset.get(dataset, {})
        for name, value in scores.items():
            low, high = intervals.get(name, (float("nan"), float("nan")))
            released = report.released.get(dataset, {}).get(name, "")
            rows.append((dataset, report.sizes[dataset], name, value, low, high, str(released)))
    return rows


def _body(report: EvaluationReport) -> list[str]:
    stamps = [f'<span class="stamp warn">{escape(text)}</span>' for text in report.warnings]
    stamps += [f'<span class="stamp">{escape(text)}</span>' for text in report.stamps]
    parts = [
        f'<header><h1>{escape(report.name)}</h1><p class="lead">{escape(report.summary)}</p>{"".join(stamps)}</header>',
        _tiles(report),
        _beside_published(report),
        _datasets(report),
    ]
    if report.confusions:
        say = "Rows are gold, columns what was answered; shade is the share of the row, numbers are clips."
        cards = [figure(path, title, "wide" if "intent" in title else "matrix") for title, path in report.confusions]
        parts.append(section("Confusions", say, f'<div class="cards">{"".join(cards)}</div>'))
    if report.wheels:
        say = (
            "Pale bars are gold, strong bars are answers, by area. A ribbon leads from the gold group, whose colour it has, to "
            "the group that was answered instead."
        )
        cards = [figure(path, title) for title, path in report.wheels]
        parts.append(section("On the emotion wheels", say, f'<div class="cards">{"".join(cards)}</div>'))
    if report.errors:
        say = "Of each task, the answers that lose most of the score, then those furthest from gold in valence."
        parts.append(section("The worst errors", say, f'<div class="errors">{"".join(map(_error, report.errors))}</div>'))
    parts += [_settings(report), _all_published()]
    parts.append("<footer>Frames in this file show people: it stays where it is, and is not logged anywhere.</footer>")
    return parts


def _tiles(report: EvaluationReport) -> str:
    tiles = []
    for key in HEADLINES:
        if key not in report.scores:
            continue
        task, value = key.split(".")[0], report.scores[key]
        low, high = report.intervals.scores.get(key, (value, value))
        chance = report.chance.get(key)
        mark = f'<s style="left:{percent(chance)}%"></s>' if chance is not None else ""
        small = SCORE_NAMES[key] + (f" · chance {percent(chance, 0)}" if chance is not None else "")
        tiles.append(
            f'<div class="tile"><span class="name">{short_name(task)}</span> <span class="small">{TASK_NAMES[task]}</span><b>{percent(value)}</b>{span(low, high)}'
            f'<div class="bar"><i style="left:{percent(low)}%;width:{percent(high - low)}%"></i>'
            f'<u style="left:calc({percent(value)}% - 1px)"></u>{mark}</div><span class="small">{escape(small)}</span></div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _beside_published(report: EvaluationReport) -> str:
    rows = []
    for dataset, scores in report.by_dataset.items():
        for key, value in scores.items():
            published = published_beside(dataset, key)
            if not published:
                continue
            own = next((row for row in published if row.model == PAPER), None)
            peers = sorted((row for row in published if not row.model.startswith(PAPER)), key=lambda row: -row.value)
            interval = report.intervals.by_dataset[dataset].get(key)
            cell = percent(value) + (f" {span(*interval)}" if interval else "")
            rows.append(
                (
                    escape(dataset), SCORE_NAMES[key], cell, _released(report.released.get(dataset, {}).get(key)),
                    f"{own.value:.2f}" if own else "–", "".join(map(_peer, peers[:2])) or "–",
                )
            )  # fmt: skip
    if not rows:
        return ""
    head = [
        "data set",
        "score",
        "this model, 95 % interval",
        "released protocol",
        "published: Nano-EmoX",
        "published: best peers",
    ]
    tasks = {key.split(".")[0] for key in report.scores}
    notes = "".join(f"<li>{escape(text)}</li>" for task, text in CAVEATS.items() if task in tasks)
    picture = figure(report.radar) if report.radar else ""
    say = (
        "Published numbers are in red. They follow their authors' protocols (checkpoints chosen on the test set, sampled "
        "answers, labels extracted by a language model); “released protocol” is this model scored by their metric code's rules."
    )
    beside = table(head, rows, ["", "", "ours", "n", "published n", "published"])
    return section(
        "Beside the published numbers", say, f'<div class="split">{picture}<ul class="notes">{notes}</ul></div>{beside}'
    )


def short_name(task: str) -> str:
    """The task as papers abbreviate it."""
    return task.upper().replace("_", "-")


def _released(outcome: Outcome | None) -> str:
    if isinstance(outcome, str):
        return f'<span class="note">{escape(outcome)}</span>'
    return percent(outcome)


def _peer(row: Published) -> str:
    return f'{row.value:.2f} {escape(row.model)}<br>' if not row.note else (
        f'<span title="{escape(row.note)}">{row.value:.2f} {escape(row.model)} *</span><br>'
    )  # fmt: skip


def _datasets(report: EvaluationReport) -> str:
    rows = [
        (
            escape(dataset), str(clips), SCORE_NAMES.get(name, name), percent(value),
            span(low, high) or "–", _released(report.released.get(dataset, {}).get(name)),
        )
        for dataset, clips, name, value, low, high, _ in score_rows(report)
    ]  # fmt: skip
    head = ["data set", "clips", "score", "value", "95 % interval", "released protocol"]
    say = "In per cent. Intervals: percentile bootstrap over clips, 1,000 resamples; corpus-level Dist-n has none."
    missing = ""
    if report.absent:
        items = "".join(f"<li><b>{escape(name)}</b>: {escape(how)}</li>" for name, how in report.absent.items())
        missing = (
            f"<details open><summary>Not evaluated, because not found under the data root</summary><ul>{items}</ul></details>"
        )
    return section("Every data set", say, table(head, rows, ["", "n", "", "n ours", "n", "n"]), missing)


def _error(entry: tuple[WorstError, bytes | None]) -> str:
    error, frames = entry
    p = error.prediction
    shown = image(frames, "image/jpeg", f"frames of {p.id}") if frames else '<div class="noframe">sound only</div>'
    return (
        f'<div class="error">{shown}<div><span class="where">{short_name(p.task)} · {escape(p.dataset)} · '
        f'{escape(p.id)}</span><span class="gold">gold: {escape(_short(error.gold))}</span><br>'
        f'<span class="said">said: {escape(_short(error.said))}</span></div></div>'
    )


def _short(text: str, limit: int = 260) -> str:
    return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + " …"


def _settings(report: EvaluationReport) -> str:
    rows = [(escape(name), f"<code>{escape(value)}</code>") for name, value in report.settings.items()]
    return section("How it was measured", "Enough to do it again.", table(["setting", "value"], rows))


def _all_published() -> str:
    cells = [
        (escape(row.model), escape(row.dataset), SCORE_NAMES.get(row.score, row.score), f"{row.value:.2f}",
         f"{escape(row.source)}" + (f'<span class="note">{escape(row.note)}</span>' if row.note else ""))
        for row in published_scores()
    ]  # fmt: skip
    for model, average in printed_averages().items():
        note = f'<span class="note">{escape(AVERAGE_NOTES[model])}</span>' if model in AVERAGE_NOTES else ""
        cells.append((escape(model), "MER-UniBench", "average, as printed", f"{average:.2f}", f"Nano-EmoX, Table 2{note}"))
    body = table(
        ["model", "data set", "score", "published", "source, and what to beware of"], cells, ["", "", "", "published n", ""]
    )
    say = "As printed, misprints included and noted."
    return section("All published numbers", say, f"<details><summary>{len(cells)} numbers</summary>{body}</details>")
