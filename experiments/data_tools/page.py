"""The page of a check: one HTML file, nothing loaded from anywhere. What comes from files and annotations is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from data_modules.cards.card import DatasetCard
from data_modules.checking.summary import DatasetCheck, Finding, SplitCheck, by_reason
from nano_emox.evaluation.html import image, page, section, table

FIRST = 50  # findings of one reason that the page lists; check.json has all
CLASSES = 30  # rows of the class balance
COLOURS = ("#2f5f9e", "#e0a458", "#79a889", "#a47fb5", "#8a919c")
STYLE = """<style>
.scroll { overflow-x: auto; }
.legend span { margin-right: 14px; white-space: nowrap; } .legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 5px; }
.stack { display: flex; height: 14px; min-width: 90px; } .stack i { height: 100%; }
.balance td:nth-child(2) { width: 46%; } .balance td { vertical-align: middle; overflow-wrap: break-word; max-width: 40vw; }
.chart { display: flex; align-items: flex-end; height: 190px; gap: 2px; border-bottom: 1px solid #c9ced6; margin-top: 10px; }
.chart div { flex: 1; display: flex; flex-direction: column; justify-content: flex-end; height: 100%; min-width: 3px; }
.axis { display: flex; gap: 2px; color: var(--grey); font-size: 12px; } .axis span { flex: 1; min-width: 3px; overflow: visible; white-space: nowrap; }
.wrong { color: var(--red); } .fine { color: var(--green); font-weight: 600; }
.strips { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 12px; } .strips img { width: 100%; display: block; border-radius: 6px; }
.strips figcaption { font: 12.5px ui-monospace, "DejaVu Sans Mono", monospace; font-weight: 400; overflow-wrap: anywhere; }
td.message { overflow-wrap: anywhere; min-width: 240px; } td.id { min-width: 150px; }
.tile b.bad { color: var(--red); } .tile b.good { color: var(--green); }
@media (max-width: 600px) { .tiles { grid-template-columns: 1fr 1fr; } .tile b { font-size: 20px; } .balance td:nth-child(4), .balance th:nth-child(4) { display: none; }
  main { padding: 16px 12px 40px; } section { padding: 16px 14px; } .axis span:nth-child(2n) { visibility: hidden; } }
</style>"""


def report_page(check: DatasetCheck, card: DatasetCard, strips: Sequence[tuple[str, bytes]] = ()) -> str:
    """The whole document.

    Args:
        strips: (id, JPEG) of clips whose frames are to be shown; none unless the user asked for them.
    """
    body = [
        STYLE,
        f"<h1>{escape(check.dataset)}</h1>",
        _lead(check),
        _stamps(check, card),
        _tiles(check),
        _wrong(check),
        _splits(check),
    ]
    for title, kind, say in (
        (
            "Broken media",
            "broken",
            "Clips that cannot be used, by reason: training with on_bad=skip leaves them out and counts them.",
        ),
        ("Annotation faults", "faults", "Entries that cannot be used, by reason, with file and line."),
        ("Without a picture", "without_video", "Usable clips that were announced with a video and have none."),
        ("Without sound", "without_audio", "Usable clips in which no sound track was found."),
    ):
        body.append(_findings(check, title, kind, say))
    body += [_silent(check), _duplicates(check), _balance(check), _durations(check)]
    if strips:
        figures = "".join(
            f"<figure><figcaption>{escape(name)}</figcaption>{image(jpeg, 'image/jpeg', name)}</figure>"
            for name, jpeg in strips
        )
        body.append(
            section(
                "Frames",
                "Asked for with --frames. People can be recognised: think before you pass this page on.",
                f'<div class="strips">{figures}</div>',
            )
        )
    notes = "".join(f"<li>{escape(quirk)}</li>" for quirk in card.quirks)
    body.append(
        section("Known of this data set", "What the declaration warns of.", f'<ul class="notes">{notes}</ul>') if notes else ""
    )
    body.append(
        f"<footer>Licence: {escape(card.licence)} · {escape(card.citation)} · obtained from: {escape(card.how_to_obtain)} · made by nano-emox data check</footer>"
    )
    return page(f"{check.dataset}: data set check", body)


def index_page(checks: Sequence[DatasetCheck], root: Path) -> str:
    """One row for each data set of `check all`, with a link to its page."""
    rows = [
        [
            f'<a href="{escape(check.dataset)}/check.html">{escape(check.dataset)}</a>',
            f"{check.clips:,}",
            f"{sum(split.usable for split in check.splits):,}",
            f"{sum(split.durations.total for split in check.splits) / 3600:.2f}",
            "<br>".join(f'<span class="wrong">{escape(sentence)}</span>' for sentence in check.wrong)
            or '<span class="fine">nothing is wrong</span>',
        ]
        for check in checks
    ]
    content = _scroll(table(["data set", "listed", "usable", "hours", "what is wrong"], rows, ["", "n", "n", "n", ""]))
    body = [
        STYLE,
        "<h1>Data sets</h1>",
        f'<p class="lead">Below <code>{escape(str(root))}</code></p>',
        section("All that were found", "Each name opens a page.", content),
    ]
    return page("Data sets, looked over", body)


def _lead(check: DatasetCheck) -> str:
    how = (
        "decoded to its end"
        if check.decoded
        else "looked over by header and packets, its sound decoded until something was audible"
    )
    return f'<p class="lead">Layout {escape(check.layout)} below <code>{escape(check.root)}</code>. Every file was {how}.</p>'


def _stamps(check: DatasetCheck, card: DatasetCard) -> str:
    stamps = [f'<span class="stamp">{escape(task.value)}</span>' for task in card.tasks]
    if check.synthetic:
        stamps.append('<span class="stamp warn">synthetic corpus: not compared with the published counts</span>')
    return "".join(stamps)


def _tiles(check: DatasetCheck) -> str:
    usable = sum(split.usable for split in check.splits)
    tiles = [
        ("clips listed", f"{check.clips:,}", "", f"{len(check.splits)} splits"),
        (
            "usable",
            f"{usable:,}",
            "good" if usable == check.clips else "bad",
            "all of them" if usable == check.clips else f"{check.clips - usable:,} not",
        ),
        ("duration", _clock(sum(split.durations.total for split in check.splits)), "", "of usable clips"),
        (
            "things wrong",
            f"{len(check.wrong):,}",
            "bad" if check.wrong else "good",
            "listed below" if check.wrong else "nothing to mend",
        ),
    ]
    cells = "".join(
        f'<div class="tile"><span class="name">{name}</span><b class="{kind}">{value}</b><span class="small">{small}</span></div>'
        for name, value, kind, small in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _wrong(check: DatasetCheck) -> str:
    if not check.wrong:
        return section(
            "What is wrong", "Counts, annotation, media, and clips that two splits share.", '<p class="fine">Nothing.</p>'
        )
    items = "".join(f'<li class="wrong">{escape(sentence)}</li>' for sentence in check.wrong)
    return section(
        "What is wrong", "Counts, annotation, media, and clips that train shares with another split.", f"<ul>{items}</ul>"
    )


def _splits(check: DatasetCheck) -> str:
    head = [
        "split",
        "published",
        "listed",
        "usable",
        "annotation faults",
        "broken media",
        "no picture",
        "no sound",
        "silent",
        "median",
        "longest",
    ]
    rows = [_split_row(split) for split in check.splits]
    note = (
        f"<p class='say'><br>All splits together were published with {check.published:,} samples; how they are split is not official.</p>"
        if check.published
        else ""
    )
    return section("Splits", "Published: samples of the release, a dash where that is not established. Lengths in seconds, of usable clips.",
                   _scroll(table(head, rows, ["", *["n"] * 10])), note)  # fmt: skip


def _split_row(split: SplitCheck) -> list[str]:
    published = "–" if split.published is None else f"{split.published:,}"
    if split.unread:
        return [escape(split.name), published, '<span class="wrong">not read</span>', *[""] * 8]
    listed = f'<span class="wrong">{split.listed:,}</span>' if split.complete is False else f"{split.listed:,}"
    bad = [f'<span class="wrong">{len(found):,}</span>' if found else "0" for found in (split.faults, split.broken)]
    absent = [f"{len(found):,}" for found in (split.without_video, split.without_audio, split.silent)]
    lengths = [f"{split.durations.median:.2f}", f"{split.durations.longest:.2f}"] if split.durations.counts else ["–", "–"]
    return [escape(split.name), published, listed, f"{split.usable:,}", *bad, *absent, *lengths]


def _findings(check: DatasetCheck, title: str, kind: str, say: str) -> str:
    by: dict[str, list[tuple[str, Finding]]] = {}
    for split in check.splits:
        for finding in getattr(split, kind):
            by.setdefault(finding.reason, []).append((split.name, finding))
    if not by:
        return ""
    counted = by_reason([finding for found in by.values() for _, finding in found])
    parts = []
    for index, (reason, count) in enumerate(counted.items()):
        rows = [[escape(split), f"<code>{escape(one.where)}</code>", escape(one.message)] for split, one in by[reason][:FIRST]]
        more = f"<p class='say'>{count - FIRST:,} more are in check.json.</p>" if count > FIRST else ""
        opened = " open" if index == 0 and kind in ("broken", "faults") else ""
        inner = _scroll(table(["split", "id or place", "what"], rows, ["", "id", "message"])) + more
        parts.append(f"<details{opened}><summary>{escape(reason)}: {count:,}</summary>{inner}</details>")
    return section(title, say, *parts)


def _silent(check: DatasetCheck) -> str:
    clips = [f"{split.name}: {name}" for split in check.splits for name in split.silent]
    return _listing("Silent sound tracks", "There is a sound track, and nothing in it exceeds -60 dB of full scale.", clips)


def _duplicates(check: DatasetCheck) -> str:
    content = [duplicate.named(12) for duplicate in check.duplicates if duplicate.kind == "content"]
    again = [duplicate.named(12) for duplicate in check.duplicates if duplicate.kind == "id"]
    return _listing("One content under several ids", "Their files are equal, byte by byte.", content) + _listing(
        "One id in several splits", "The same sample is listed more than once.", again
    )


def _listing(title: str, say: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in lines[:FIRST])
    more = f"<p class='say'>{len(lines) - FIRST:,} more are in check.json.</p>" if len(lines) > FIRST else ""
    return section(
        title, say, f'<details><summary>{len(lines):,} of them</summary><ul class="notes">{items}</ul>{more}</details>'
    )


def _balance(check: DatasetCheck) -> str:
    total: Counter[str] = Counter()
    for split in check.splits:
        total.update(split.balance)
    if not total:
        return ""
    largest = max(total.values()) or 1
    rows = []
    for name, count in sorted(total.items(), key=lambda entry: (-entry[1], entry[0]))[:CLASSES]:
        parts = "".join(
            f'<i style="width:{100 * split.balance[name] / largest:.2f}%;background:{_colour(index)}" title="{escape(split.name)}: {split.balance[name]:,}"></i>'
            for index, split in enumerate(check.splits)
        )
        rows.append(
            [escape(name), f'<div class="stack">{parts}</div>', f"{count:,}", f"{100 * count / max(total.total(), 1):.1f} %"]
        )
    more = f"<p class='say'>{len(total) - CLASSES:,} rarer ones are in check.json.</p>" if len(total) > CLASSES else ""
    what = {"label": "class", "sentiment": "sign of the score", "words": "open word"}[
        next(s.balance_of for s in check.splits if s.balance)
    ]
    body = f'<div class="balance">{table([what, "", "samples", "share"], rows, ["", "", "n", "n"])}</div>'
    return section(
        "Class balance",
        "Of all samples that the annotation gives, whether or not their media can be read.",
        _legend(check),
        body,
        more,
    )


def _durations(check: DatasetCheck) -> str:
    bins = max((len(split.durations.counts) for split in check.splits), default=0)
    if not bins:
        return ""
    step = check.splits[0].durations.step
    heights = [
        [split.durations.counts[i] if i < len(split.durations.counts) else 0 for split in check.splits] for i in range(bins)
    ]
    tallest = max(map(sum, heights))
    columns = "".join(
        f'<div title="{escape(_bin(i, step, bins))}: {sum(column):,}">'
        + "".join(
            f'<i style="height:{100 * value / tallest:.2f}%;background:{_colour(index)}"></i>'
            for index, value in reversed(list(enumerate(column)))
        )
        + "</div>"
        for i, column in enumerate(heights)
    )
    axis = "".join(f"<span>{i * step:g}</span>" for i in range(bins))
    say = f"Clips by length; a bar is {step:g} s wide, the highest has {tallest:,} clips{', the last holds all longer ones' if bins == 20 else ''}. Seconds below."
    return section("Durations", say, _legend(check), f'<div class="chart">{columns}</div><div class="axis">{axis}</div>')


def _bin(index: int, step: float, bins: int) -> str:
    return f"from {index * step:g} s" if index == bins - 1 == 19 else f"{index * step:g} to {(index + 1) * step:g} s"


def _legend(check: DatasetCheck) -> str:
    names = "".join(
        f'<span><i style="background:{_colour(index)}"></i>{escape(split.name)}</span>'
        for index, split in enumerate(check.splits)
    )
    return f'<p class="say legend">{names}</p>'


def _clock(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _scroll(content: str) -> str:
    return f'<div class="scroll">{content}</div>'
