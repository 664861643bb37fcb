"""One self-contained HTML file: style, tables and pictures inline, no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

STYLE = """
:root { --ink: #23272e; --grey: #6f7782; --line: #e4e7ec; --blue: #2f5f9e; --red: #b8433f; --green: #2f7d4f; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f6f8; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 28px 60px; }
h1 { font-size: 27px; margin: 0 0 2px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 0 0 4px; }
p.lead, p.say { color: var(--grey); margin: 0 0 14px; max-width: 96ch; }
section { background: white; border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px; margin-top: 18px; }
.stamp { display: inline-block; border-radius: 999px; padding: 3px 12px; font-size: 13px; margin: 6px 6px 0 0;
  background: #e8eef7; color: var(--blue); border: 1px solid #cfdcee; }
.stamp.warn { background: #fbeceb; color: var(--red); border-color: #f0cfcd; font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px; margin-top: 18px; }
.tile { background: white; border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 30px; line-height: 1.15; color: var(--blue); font-variant-numeric: tabular-nums; }
.tile .range { color: var(--grey); font-size: 13px; font-variant-numeric: tabular-nums; }
.tile .name { font-weight: 600; } .tile .small { color: var(--grey); font-size: 12.5px; }
.bar { position: relative; height: 6px; background: #eef0f3; border-radius: 3px; margin: 8px 0 6px; }
.bar i { position: absolute; top: 0; bottom: 0; border-radius: 3px; background: #a9c1e2; }
.bar u { position: absolute; top: -2px; bottom: -2px; width: 3px; border-radius: 2px; background: var(--blue); }
.bar s { position: absolute; top: -3px; bottom: -3px; width: 2px; background: var(--red); }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--grey); font-size: 12.5px; border-bottom: 2px solid var(--line); padding: 5px 10px 5px 0; vertical-align: bottom; }
td { border-bottom: 1px solid #eef0f3; padding: 5px 10px 5px 0; vertical-align: top; }
td.n, th.n { text-align: right; } td.published { color: #8a3a37; padding-left: 18px; } th.published { padding-left: 18px; } td .note { color: var(--grey); font-size: 12px; display: block; }
td.ours { font-weight: 600; color: var(--blue); } .range { white-space: nowrap; } td .range { font-weight: 400; color: var(--grey); font-size: 12.5px; }
.split { display: grid; grid-template-columns: minmax(320px, 6fr) 6fr; gap: 34px; align-items: center; margin-bottom: 14px; }
ul.notes { color: var(--grey); font-size: 13.5px; padding-left: 18px; } ul.notes li { margin-bottom: 8px; }
@media (max-width: 860px) { .split { grid-template-columns: 1fr; } }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 16px; align-items: start; }
figure { margin: 0; } figure img { width: 100%; display: block; } figcaption { font-weight: 600; font-size: 14px; margin-bottom: 4px; }
.wide { grid-column: 1 / -1; max-width: 860px; }
.errors { columns: 3 320px; column-gap: 14px; }
.error { break-inside: avoid; margin-bottom: 14px; border: 1px solid var(--line); border-radius: 10px; overflow: hidden; font-size: 13.5px; }
.error img { width: 100%; display: block; background: #dfe3e8; } .error div { padding: 9px 12px 11px; }
.error .where { color: var(--grey); font-size: 12px; display: block; } .error .gold { color: var(--green); } .error .said { color: var(--red); }
.noframe { background: #eef0f3; color: var(--grey); text-align: center; padding: 26px 0; font-size: 13px; }
details { margin-top: 12px; } summary { cursor: pointer; color: var(--blue); }
code { font: 12.5px ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
footer { color: var(--grey); font-size: 12.5px; margin-top: 22px; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole document."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )


def section(title: str, say: str, *content: str) -> str:
    """A block with a heading and a sentence that says how to read it."""
    return f'<section><h2>{escape(title)}</h2><p class="say">{escape(say)}</p>{"".join(content)}</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] | None = None) -> str:
    """Rows of cells that are HTML already; `classes` are those of the columns."""
    kinds = list(classes or [""] * len(head))

    def row(cells: Sequence[str], tag: str) -> str:
        marked = zip(cells, kinds, strict=True)
        return "<tr>" + "".join(f'<{tag} class="{kind}">{cell}</{tag}>' for cell, kind in marked) + "</tr>"

    lines = "".join(row(cells, "td") for cells in rows)
    return f"<table><thead>{row([escape(name) for name in head], 'th')}</thead><tbody>{lines}</tbody></table>"


def figure(path: Path, caption: str = "", kind: str = "") -> str:
    """A picture, inline."""
    types = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
    title = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="{kind}">{title}{image(path.read_bytes(), types[path.suffix], caption)}</figure>'


def image(content: bytes, kind: str, text: str = "") -> str:
    """An inline image; `text` is read out instead of it."""
    return f'<img alt="{escape(text)}" src="data:{kind};base64,{base64.b64encode(content).decode()}">'


def percent(value: float | None, digits: int = 1) -> str:
    """Per cent; a dash where there is no number."""
    return "–" if value is None or value != value else f"{100 * value:.{digits}f}"


def span(low: float, high: float) -> str:
    """An interval in per cent."""
    return "" if low != low else f'<span class="range">{percent(low)} – {percent(high)}</span>'
