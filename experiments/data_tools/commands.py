"""The commands of `nano-emox data`. Heavy imports are inside them."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from experiments.logs import console

data_app = typer.Typer(no_args_is_help=True, help="Data sets: what is there, what is wrong with it, and miniatures of them.")

Root = Annotated[
    Path | None, typer.Option(envvar="DATA", help="data root, one folder per data set; the preset's data.root by default")
]
Preset = Annotated[str, typer.Option(help="whose data.root is taken when --root is not given")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="as `nano-emox data list` writes it, e.g. MELD, or generic:FILE for a list of one's own"
    ),
]
Layout = Annotated[
    str | None, typer.Option(help="as `nano-emox data list --json` names them; the first that is there by default")
]


@data_app.command("list")
def list_datasets(
    root: Root = None,
    preset: Preset = "tiny",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Every data set: tasks, language, size, licence, which layout of it was found, and how to get the rest."""
    from data_modules.listing import look_for
    from experiments.data_tools.tables import print_presence

    place = data_root(root, preset, may_lack=True)
    found = look_for(place)
    if as_json:
        typer.echo(json.dumps({"root": str(place), "datasets": [one.as_json() for one in found]}, ensure_ascii=False, indent=1))
    else:
        print_presence(found, place)


@data_app.command("check")
def check(
    name: Annotated[str, typer.Argument(metavar="NAME|all", help="a data set, generic:FILE, or all that are found")],
    root: Root = None,
    preset: Preset = "tiny",
    layout: Layout = None,
    out: Annotated[Path, typer.Option(help="takes NAME/check.html, check.json and what is known of each file")] = Path(
        "outputs/data"
    ),
    workers: Annotated[int, typer.Option(min=0, help="processes, 0 for one a core; the result is the same for any number")] = 0,
    decode: Annotated[bool, typer.Option("--decode", help="decode every file to its end; slow")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="look at every file again, also at those that have not changed")
    ] = False,
    frames: Annotated[int, typer.Option(min=0, help="show frames of so many clips in the page; people can be recognised")] = 0,
) -> None:
    """Counts, annotation faults, broken media, duplicates, balance, durations: table, page and JSON. A killed check continues.

    Exit status: 0 as published and all usable, 1 something is wrong, 2 the data set was not found.
    """
    from data_modules.listing import look_for
    from experiments.data_tools.check import check_and_report

    place = data_root(root, preset)
    if name == "all":
        names = [one.name for one in look_for(place) if one.found]
        if not names:
            raise FileNotFoundError(f"no data set below {place}; `nano-emox data list --root {place}` says what is looked for")
    else:
        names = [known_name(name)]
    wrong = check_and_report(
        names,
        place,
        out,
        layout=layout,
        workers=workers or os.cpu_count() or 1,
        decode=decode,
        again=again,
        frames=frames,
        all_found=name == "all",
    )
    raise typer.Exit(int(wrong))


@data_app.command("show")
def show(
    name: Name,
    sample: Annotated[str | None, typer.Argument(metavar="[ID]", help="the first sample by default")] = None,
    root: Root = None,
    preset: Preset = "tiny",
    split: Annotated[str, typer.Option(help="train, validation, test or all")] = "all",
    layout: Layout = None,
    out: Annotated[
        Path | None, typer.Option(help="the PNG, or an existing folder for it; outputs/data/NAME/ID.png by default")
    ] = None,
) -> None:
    """One sample as text, and a picture of its frames and its sound over time. Exit status 1: some of it cannot be read."""
    from experiments.data_tools.sample import show_sample

    whole = show_sample(known_name(name), sample, data_root(root, preset), split=split, layout=layout, out=out)
    raise typer.Exit(int(not whole))


@data_app.command("fixture")
def fixture(
    name: Annotated[str, typer.Argument(metavar="NAME|all", help="a data set, or all that have a miniature")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="becomes a data root; a folder for each layout if several")],
    layout: Annotated[str | None, typer.Option(help="this layout only")] = None,
) -> None:
    """Write a tiny copy of a data set's layout, good and bad items included, and say what is wrong on purpose."""
    from experiments.data_tools.miniatures import write_miniatures

    write_miniatures(name if name == "all" else known_name(name), directory, layout=layout)


@data_app.command("overlap")
def overlap(
    train: Annotated[str, typer.Option(help="data sets, comma-separated; those of the preset's phases by default")] = "",
    evaluation: Annotated[str, typer.Option(help="data sets, comma-separated; the preset's benchmarks by default")] = "",
    root: Root = None,
    preset: Preset = "tiny",
    content: Annotated[bool, typer.Option("--content", help="compare files byte by byte, too; reads all of them")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table, with all ids")] = False,
) -> None:
    """Clips of train splits that are in test splits, too: scores on them are too good. Exit status 1 if there are any."""
    from dataclasses import asdict

    from experiments.configuration import read_config
    from experiments.data_tools.overlaps import overlap_between, print_overlap

    config = read_config(preset)
    phases = list(dict.fromkeys(name for phase in config.phases.values() for name in phase.data))
    trained = [known_name(name.strip()) for name in train.split(",") if name.strip()] or phases
    scored = [known_name(name.strip()) for name in evaluation.split(",") if name.strip()] or list(config.evaluation.benchmarks)
    found = overlap_between(trained, scored, data_root(root, preset), content=content)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
    else:
        print_overlap(found)
    raise typer.Exit(int(bool(found)))


@data_app.command("pages")
def pages(
    out: Annotated[Path, typer.Option(help="directory for one page per data set and their index")] = Path("docs/datasets"),
) -> None:
    """Write the data sets' pages from their declarations and miniatures."""
    from experiments.data_tools.pages import write_pages

    written = write_pages(out)
    console.print(f"{len(written)} pages in {out}", soft_wrap=True)


def data_root(root: Path | None, preset: str, *, may_lack: bool = False) -> Path:
    """Where the data sets lie.

    Args:
        may_lack: the preset's own need not be there yet.

    Raises:
        FileNotFoundError: no such folder.
        NotADirectoryError: it is a file.
    """
    given = root is not None
    if root is None:
        from experiments.configuration import read_config

        root = Path(read_config(preset).data.root)
    if root.is_dir() or (may_lack and not given and not root.exists()):
        return root
    if root.exists():
        raise NotADirectoryError(f"data root {root} is a file; give the folder that holds a folder for each data set")
    raise FileNotFoundError(
        f"data root {root} does not exist; `--root DIR` names another, `nano-emox data make` writes a synthetic one"
    )


def known_name(name: str) -> str:
    """The data set's name as it is declared; its case need not be right.

    Raises:
        typer.BadParameter: no such data set; the message names the nearest.
    """
    from data_modules.cards.own_clips import PREFIX
    from data_modules.datasets import DATASETS

    if name.startswith(PREFIX):
        return name
    names = {known.casefold(): known for known in DATASETS}
    if name.casefold() in names:
        return names[name.casefold()]
    near = [names[found] for found in difflib.get_close_matches(name.casefold(), names, cutoff=0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(DATASETS)}"
    raise typer.BadParameter(f"no data set {name!r}; {hint}", param_hint="NAME")
