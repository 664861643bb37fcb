"""One page per data set, from its declaration and its miniatures: what is written there cannot drift from what is read."""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from html import escape
from pathlib import Path
from typing import Any

from data_modules import named
from data_modules.cards.card import DatasetCard
from data_modules.datasets import DATASETS
from data_modules.durable import write_atomically
from data_modules.fixtures.catalogue import FIXTURES, write_fixture
from data_modules.fixtures.fixture import Fixture
from data_modules.fixtures.outline import marks_of, outline
from data_modules.readers.annotation import Reader
from data_modules.readers.corpus_npz import load_labels
from data_modules.record import Sample, Task

MADE = "<!-- Made by `nano-emox data pages` from data_modules/cards and data_modules/fixtures: change it there. -->"
TASKS = {
    Task.MSA: "sentiment (MSA)",
    Task.MER: "emotion (MER)",
    Task.OV_MER: "open-vocabulary emotion (OV-MER)",
    Task.ERI: "emotion reasoning (ERI)",
    Task.MIR: "intent (MIR)",
    Task.ERG: "empathetic response (ERG)",
}
LAYOUTS = {
    "original": "the public download, as it comes",
    "unibench": "the processed form of MER-UniBench",
    "released": "the JSON files of the authors' code",
    "mmla": "the tables of MMLA-Datasets",
    "mmsa": "the table of MMSA",
}


ANNOTATION = {".csv": 3, ".tsv": 3, ".txt": 3, ".jsonl": 2, ".json": 16, ".npz": 4}  # lines of a file that are shown


def write_pages(out: Path) -> list[Path]:
    """Write all pages; pages of data sets that are no longer declared are removed."""
    pages = make_pages()
    for path in out.glob("*.md"):
        if path.name not in pages and path.read_text(encoding="utf-8").startswith(MADE):
            path.unlink()
    return [write_atomically(out / name, text) for name, text in pages.items()]


def make_pages() -> dict[str, str]:
    """File name -> Markdown."""
    return {"README.md": _index(), **{page_name(name): dataset_page(card) for name, card in DATASETS.items()}}


def page_name(dataset: str) -> str:
    """The file name of a data set's page."""
    return dataset.lower().replace("+", "-plus") + ".md"


def dataset_page(card: DatasetCard) -> str:
    """The page of one data set."""
    miniatures = [fixture for fixture in FIXTURES if fixture.dataset == card.name]
    modules = [module for module in vars(named).values() if inspect.isclass(module) and module.__module__ == named.__name__]
    classes = {module.dataset: module for module in modules if hasattr(module, "dataset")}
    python = (
        f"`from data_modules import {classes[card.name].__name__}`"
        if card.name in classes
        else f'`load_samples("{card.name}", root, split)`'
    )
    parts = [
        MADE,
        f"# {card.name}",
        _table(
            ("", ""),
            [
                ("tasks", ", ".join(TASKS[task] for task in card.tasks)),
                ("speech", getattr(card.reader, "language", "")),
                ("licence", card.licence),
                ("how to obtain", card.how_to_obtain),
                ("citation", card.citation),
                ("in Python", python),
                ("look it over", f"`nano-emox data check {card.name} --root DIR`"),
            ],
        ),
        _splits(card),
    ]
    if card.vocabulary:
        parts += [f"## Classes ({len(card.vocabulary)})", ", ".join(f"`{word}`" for word in card.vocabulary)]
    if card.quirks:
        parts += ["## Beware", _list(card.quirks)]
    parts.append(
        "## Layouts\n\nThey are looked for in this order; the first one that is there is read unless `layout=` names another."
    )
    shown: dict[str, str] = {}  # what was said -> the layout that it was said of
    for layout, reader in card.layouts.items():
        parts += _layout(layout, reader, [fixture for fixture in miniatures if fixture.layout == layout], shown)
    parts += _record(next(iter(miniatures), None))
    return "\n\n".join(part for part in parts if part) + "\n"


def _index() -> str:
    rows = [
        (
            f"[{card.name}]({page_name(name)})",
            ", ".join(TASKS[task].partition("(")[2].rstrip(")") for task in card.tasks),
            getattr(card.reader, "language", ""),
            _size(card),
            ", ".join(card.layouts),
            card.licence,
        )
        for name, card in DATASETS.items()
    ]
    head = ("data set", "tasks", "speech", "samples published", "layouts", "licence")
    intro = (
        "Each page says how the data set lies on disk, what a sample of it holds, and what to beware of. `nano-emox data list` says which of\n"
        "them are on this machine, `nano-emox data check NAME` compares one with what was published, `nano-emox data show NAME` shows a sample,\n"
        "`nano-emox data fixture NAME DIR` writes a miniature of it. Trees and records below come from these miniatures: their texts are invented."
    )
    own = "Clips of your own, in a JSONL or a CSV: [generic.md](generic.md)."
    layouts = _list(f"`{layout}`: {what}" for layout, what in LAYOUTS.items())
    return "\n\n".join((MADE, "# Data sets", intro, _table(head, rows), own, layouts)) + "\n"


def _size(card: DatasetCard) -> str:
    return " / ".join(f"{size:,}" for size in card.published.values()) or "not established"


def _splits(card: DatasetCard) -> str:
    rows = [
        (f"`{split}`", f"{card.published[split]:,}" if split in card.published else "not established") for split in card.splits
    ]
    if "all" in card.published:
        rows = [(f"`{split}`", "") for split in card.splits] + [("all together", f"{card.published['all']:,}")]
    text = "## Splits\n\n" + _table(("split", "samples published"), rows)
    if card.subsets:
        others = [
            (
                f"`subset={name}`",
                f"`{split}`",
                " + ".join(f"`{part}`" for part in subset.splits)
                + (f", only what `{subset.listed_in}` lists" if subset.listed_in else ""),
            )
            for name, splits in card.subsets.items()
            for split, subset in splits.items()
        ]
        text += "\n\nOthers have used other splits:\n\n" + _table(("name", "split", "is"), others)
    return text


def _layout(layout: str, reader: Reader, miniatures: Sequence[Fixture], shown: dict[str, str]) -> list[str]:
    described = (inspect.getdoc(type(reader)) or "").partition("\nAttributes:")[0].strip()
    splits = ", ".join(f"`{split}`" for split in reader.splits)
    before = shown.setdefault(described, layout)
    parts = [
        f"### `{layout}`" + (f": {LAYOUTS[layout]}" if layout in LAYOUTS else ""),
        f"Known by `{reader.marker}` below the data root; splits: {splits}. Read by `{type(reader).__name__}`"
        + (":" if before == layout else f", like `{before}`."),
        "\n".join(f"> {line}".rstrip() for line in described.splitlines()) if before == layout else "",
    ]
    for fixture in miniatures:
        text = _miniature(fixture, with_annotation=fixture is miniatures[0])
        before = shown.setdefault(text, layout)
        parts.append(text if before == layout else f"Its files are those of `{before}`.")
    return parts


def _miniature(fixture: Fixture, *, with_annotation: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_fixture(fixture, root)
        tree = "\n".join(f"  {line}" for line in outline(root, marks_of(fixture, root)))
        where = {sample.id: split for split, samples in fixture.expected(root).items() for sample in samples}
        beginnings = _beginnings(root) if with_annotation else []
    wrong = [
        (split, f"`{place}`", f"annotation: `{fault.value}`")
        for split, faults in fixture.faults.items()
        for place, fault in faults.items()
    ]
    wrong += [(where.get(name, ""), f"`{name}`", f"media: `{reason.value}`") for name, reason in fixture.broken.items()]
    title = f"<details><summary>In miniature{f': {escape(fixture.variant)}' if fixture.variant else ''}</summary>"
    parts = [title, f"```\nDATA/\n{tree}\n```", *beginnings]
    if wrong:
        parts += ["Wrong on purpose, and found under its reason:", _table(("split", "id or place", "reason"), wrong)]
    return "\n\n".join([*parts, "</details>"])


def _beginnings(root: Path) -> list[str]:
    """How the annotation files begin: one of each kind in each folder."""
    seen: set[tuple[Path, str]] = set()
    parts = []
    for path in sorted(root.rglob("*")):
        kind = (path.parent, path.suffix)
        if path.name.startswith("._") or path.suffix not in ANNOTATION or kind in seen or not path.stat().st_size:
            continue
        seen.add(kind)
        lines = _labels(path) if path.suffix == ".npz" else path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        lines = lines[: ANNOTATION[path.suffix]]
        text = "\n".join(line if len(line) <= 150 else f"{line[:147]}..." for line in lines)
        says = "holds pickled dictionaries" if path.suffix == ".npz" else "begins with"
        parts.append(f"`{path.relative_to(root)}` {says}\n\n```\n{text}\n```")
    return parts[:4]


def _labels(path: Path) -> list[str]:
    """A line for each key of a label file: its first entry."""
    return [
        f"{key}: {str(dict(list(entries.items())[:1])).rstrip('}')}}}, ...}}"
        for key, entries in load_labels(path).items()
        if entries
    ]


def _record(fixture: Fixture | None) -> list[str]:
    if fixture is None:
        return []
    samples = [sample for split in fixture.expected(Path("DATA")).values() for sample in split]
    has = {field.name: sum(_is_set(getattr(sample, field.name)) for sample in samples) for field in fields(Sample)}
    always = ", ".join(f"`{name}`" for name, count in has.items() if count == len(samples))
    sometimes = ", ".join(f"`{name}`" for name, count in has.items() if 0 < count < len(samples))
    text = f"Set in every sample: {always}." + (f" In some: {sometimes}." if sometimes else "")
    fullest = max(samples, key=lambda sample: sum(_is_set(getattr(sample, field.name)) for field in fields(Sample)))
    plain = {name: value for name, value in asdict(fullest).items() if _is_set(value)}
    lines = ",\n".join(
        f" {json.dumps(name)}: {json.dumps(_relative(value), ensure_ascii=False, default=str)}" for name, value in plain.items()
    )
    return ["## A sample", text, f"One of the miniature ({fixture.layout}):", f"```json\n{{\n{lines}\n}}\n```"]


def _is_set(value: Any) -> bool:
    return value is not None and value != () and value != {}


def _relative(value: Any) -> Any:
    """Media without what is not given, so that the record stays readable."""
    return {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else value


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
