"""`nano-emox`: commands that need a configuration read the same layered one; their last words are `key=value` overrides.

Heavy imports are inside the commands: `nano-emox --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.data_tools.commands import data_app
from experiments.logs import calm, console

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Nano-EmoX: from perception to empathy. Commands that read a configuration (those with --preset and [KEY=VALUE]) take"
    " overrides of it as their last words, e.g. data.root=DIR.",
)
backbones_app = typer.Typer(no_args_is_help=True, help="Towers and language model.")
human_app = typer.Typer(no_args_is_help=True, help="Blind evaluation of empathetic replies by people.")
app.add_typer(human_app, name="human-eval")
app.add_typer(data_app, name="data")
app.add_typer(backbones_app, name="backbones")
fetch_app = typer.Typer(no_args_is_help=True, help="Public tables that are not shipped with this project.")
app.add_typer(fetch_app, name="fetch")

Preset = Annotated[str, typer.Option(help="tiny (a laptop, synthetic data) or paper (GPUs, real data), or a YAML file")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="e.g. phases.phase2.optim.lr=2e-5")]


@data_app.command("make")
def data_make(overrides: Overrides = None, preset: Preset = "tiny") -> None:
    """Write the synthetic corpus, in the real data sets' layouts."""
    from data_modules.synthetic.corpus import write_corpus
    from experiments.configuration import read_config

    config = read_config(preset, overrides or [])
    report = write_corpus(Path(config.data.root), seed=config.seed, clips=config.data.clips, workers=config.data.workers)
    done = f"written in {report.seconds:.0f} s" if report.written else "was there already"
    console.print(
        f"synthetic corpus {done}: {report.clips:,} clips, {report.megabytes:,.0f} MB, seed {report.seed}, in {report.root}",
        soft_wrap=True,
        markup=False,
    )


@backbones_app.command("make")
def backbones_make(overrides: Overrides = None, preset: Preset = "tiny") -> None:
    """Build the tiny backbones in the real checkpoint layouts and pre-train them briefly on the synthetic world."""
    from experiments.assembly import configure
    from experiments.pretrain import make_backbones

    make_backbones(configure(preset, overrides or []))


@backbones_app.command("parameters")
def backbones_parameters(
    overrides: Overrides = None,
    preset: Preset = "paper",
    run: Annotated[bool, typer.Option("--run", help="also one forward and backward pass with random weights")] = False,
) -> None:
    """Parameters by part, counted on the meta device; with --run, one full-size step with random weights."""
    from experiments.assembly import configure
    from experiments.fullsize import parameter_report

    parameter_report(configure(preset, overrides or []), run=run)


@fetch_app.command("wheels")
def fetch_wheels(
    to: Annotated[Path, typer.Option(help="directory to put them into")] = Path("weights/emotion_wheel"),
    source: Annotated[str | None, typer.Option("--from", help="another address of the same files")] = None,
) -> None:
    """Download the released emotion wheels at a pinned commit, and check them (SHA-256)."""
    from nano_emox.metrics.fetch import SOURCE, fetch_wheels

    downloaded = fetch_wheels(to, source or SOURCE)
    console.print(f"{len(downloaded)} files downloaded, all checked: use them with evaluation.lexicon={to}", soft_wrap=True)
    console.print("[dim]evaluation.edition=corrected leaves out the wrong forms (fear as a form of fearless)[/]")


@app.command()
def features(
    overrides: Overrides = None,
    preset: Preset = "tiny",
    verify: Annotated[bool, typer.Option("--verify", help="compare every stored shard with its checksum first")] = False,
) -> None:
    """Run the frozen towers once over every clip that training and the benchmarks need. A killed extraction continues."""
    from experiments.assembly import configure
    from experiments.extract import extract

    extract(configure(preset, overrides or []), verify=verify)


@app.command()
def train(
    overrides: Overrides = None,
    preset: Preset = "tiny",
    fresh: Annotated[bool, typer.Option("--fresh", help="start over; what was there is moved aside")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="only print what each phase will hold in memory, and what fits")] = False,
    tokens: Annotated[int | None, typer.Option(min=1, help="of a row, for --plan; default: model.max_length")] = None,
) -> None:
    """Train the phases named by run=[...], or the whole curriculum in one process. A run that was cut goes on."""
    if tokens and not plan:
        raise typer.BadParameter(
            "it is the length of a row for --plan; training takes model.max_length=N", param_hint="--tokens"
        )
    from experiments.assembly import configure

    config = configure(preset, overrides or [])
    if plan:
        from experiments.plan import plan as show

        show(config, tokens)
    else:
        from experiments.train import train as fit

        fit(config, fresh=fresh)


@app.command()
def evaluate(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="PHASE|RUN|CHECKPOINT... [KEY=VALUE]...", help="phase3, outputs/latest, or a checkpoint file"),
    ],
    preset: Preset = "tiny",
    benchmarks: Annotated[str, typer.Option(help="data sets, comma-separated; default: all that are configured")] = "",
    select: Annotated[str | None, typer.Option(help="best-on-test: choose among several by their test scores")] = None,
    page: Annotated[bool, typer.Option("--report/--no-report", help="write report.html and log tables")] = True,
) -> None:
    """Score a checkpoint on every benchmark found under data.root; what is absent is named. A killed evaluation continues."""
    from experiments.benchmark import benchmark, split_arguments

    subjects, overrides = split_arguments(targets)
    names = [name.strip() for name in benchmarks.split(",") if name.strip()]
    benchmark(subjects, overrides, preset=preset, benchmarks=names, select=select, page=page)


@app.command()
def report(overrides: Overrides = None, preset: Preset = "tiny") -> None:
    """The end of a run: modality ablation, the table, results.json and the pictures."""
    from experiments.assembly import configure
    from experiments.report import report as write

    write(configure(preset, overrides or []))


@app.command()
def predict(
    clip: Annotated[Path, typer.Argument(help="any video or audio file")],
    task: Annotated[str, typer.Option(help="mer, msa, ov_mer, eri, mir or erg")] = "mer",
    subtitle: Annotated[str | None, typer.Option(help="what is said in the clip")] = None,
    candidates: Annotated[str | None, typer.Option(help="labels to choose from, comma-separated (mer, mir)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object instead of streamed text")] = False,
    run: Annotated[Path, typer.Option(help="the run whose checkpoint answers")] = Path("outputs/latest"),
    overrides: Overrides = None,
) -> None:
    """Answer about one clip: its emotion, sentiment, intent, the reasoning, or an empathetic reply."""
    from experiments.ask import ask

    labels = tuple(label.strip() for label in (candidates or "").split(",") if label.strip())
    if candidates is not None and not labels:
        raise typer.BadParameter(f"{candidates!r} names no label", param_hint="--candidates")
    ask(clip, task=task, subtitle=subtitle, candidates=labels, as_json=as_json, run=run, overrides=overrides or [])


@app.command()
def judge(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS.jsonl", help="answers, as `evaluate` writes them")],
    out: Annotated[Path, typer.Option(help="JSONL that takes the scores; an existing one is continued")],
    judge: Annotated[str, typer.Option(help="rule, local:DIR, or an OpenAI-compatible address: http://HOST/v1")] = "rule",
    model: Annotated[str, typer.Option(help="name of the model at that address")] = "",
    tasks: Annotated[str | None, typer.Option(help="comma-separated, of mer ov_mer msa eri; all by default")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    max_tokens: Annotated[int, typer.Option(min=1, help="upper limit of a reply")] = 256,
    timeout: Annotated[float, typer.Option(min=0.1, help="seconds for one call")] = 60.0,
    attempts: Annotated[int, typer.Option(min=1, help="calls a question may take")] = 4,
    api_key_env: Annotated[str, typer.Option(help="environment variable that holds the key")] = "NANO_EMOX_JUDGE_KEY",
    device: Annotated[str, typer.Option(help="of a local judge")] = "cpu",
    lexicon: Annotated[str, typer.Option(help="of the wheel scores: builtin, or a directory")] = "builtin",
) -> None:
    """Labels, sentiment and overlaps by a judge: rules, a local language model, or a server such as vLLM."""
    from experiments.judge import judge_file

    judge_file(
        predictions, out, judge=judge, model=model, tasks=tasks.split(",") if tasks else (), batch_size=batch_size,
        max_tokens=max_tokens, timeout=timeout, attempts=attempts, api_key_env=api_key_env, device=device, lexicon=lexicon,
    )  # fmt: skip


@human_app.command("make")
def human_make(
    predictions: Annotated[list[str], typer.Argument(metavar="[NAME=]PREDICTIONS.jsonl...", help="one file a system")],
    data: Annotated[Path, typer.Option(help="data root that the dialogues are read from")],
    out: Annotated[Path, typer.Option(help="new directory for the forms and the key")],
    n: Annotated[int, typer.Option("--n", min=1, help="dialogues to draw")] = 200,
    raters: Annotated[int, typer.Option(min=1)] = 10,
    seed: Annotated[int, typer.Option(help="of the draw and of every shuffle")] = 0,
    reference: Annotated[bool, typer.Option("--reference", help="the data set's own replies take part as well")] = False,
) -> None:
    """Draw dialogues that all systems answered, blind the systems, and write one HTML form a rater."""
    from experiments.human_eval import make_study_from_files

    make_study_from_files(predictions, data, out, dialogues=n, raters=raters, seed=seed, reference=reference)


@human_app.command("score")
def human_score(
    study: Annotated[Path, typer.Argument(metavar="DIR", help="the directory that `make` wrote")],
    ratings: Annotated[list[Path], typer.Argument(metavar="RATINGS.json...", help="the files that raters sent back")],
    partial: Annotated[
        bool, typer.Option("--partial", help="use what all given raters rated, if forms are unfinished")
    ] = False,
) -> None:
    """Means of each system on the three dimensions, with Fleiss' kappa (the paper's Table 2)."""
    from experiments.human_eval import score_study

    score_study(study, ratings, partial=partial)


@app.command("import")
def import_checkpoint(
    released: Annotated[Path, typer.Argument(help="the authors' checkpoint_*.pth")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
    overrides: Overrides = None,
    preset: Preset = "released",
) -> None:
    """Turn the authors' trained parameters into one of our folders, with every key accounted for."""
    from experiments.assembly import configure
    from experiments.exchange import import_checkpoint as bring

    bring(configure(preset, overrides or []), released, out)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="the run's directory")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
    phase: Annotated[str | None, typer.Option(help="phase1, phase2 or phase3; the last finished one otherwise")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="add LoRA into the language model and write that, for serving")
    ] = False,
    push: Annotated[str | None, typer.Option(help="upload to this hub repository (owner/name), private")] = None,
    overrides: Overrides = None,
) -> None:
    """Write a run's model as a folder to share: config, processor, safetensors, LoRA in peft's format, model card."""
    from experiments.exchange import export_run

    export_run(run, out, phase=phase, merge=merge, push=push, overrides=overrides or [])


@app.command()
def info(directory: Annotated[Path, typer.Argument(help="a folder of import or export")]) -> None:
    """What a folder holds: phase, parts, parameters, data mixture, metrics, and which checkpoints it needs."""
    from experiments.exchange import info as show

    show(directory)


@app.command()
def doctor(overrides: Overrides = None, preset: Preset = "tiny") -> None:
    """What is installed, found and missing."""
    from experiments.configuration import read_config
    from experiments.doctor import examine

    raise typer.Exit(examine(read_config(preset, overrides or [])))


@app.command("config")
def show_config(overrides: Overrides = None, preset: Preset = "tiny") -> None:
    """Print the resolved configuration."""
    from experiments.configuration import read_config
    from nano_emox.config import to_dict

    console.print_json(json.dumps(to_dict(read_config(preset, overrides or []))))


def main() -> None:
    """Entry point: errors of use are one clear message and exit status 2, never a traceback."""
    calm()
    try:
        app()
    except Exception as error:
        if (extra := missing_extra(error)) is not None:
            console.print(f"[bold red]nano-emox:[/] {extra}", soft_wrap=True)
            sys.exit(2)
        refused = isinstance(error, OSError) and error.filename is not None  # by the system: not readable, not writable, full
        if not refused and not isinstance(error, (FileNotFoundError, FileExistsError, NotADirectoryError, *_errors_of_use())):
            raise
        console.print("[bold red]nano-emox:[/]", end=" ")
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and refused else str(error)
        console.print(said, markup=False, soft_wrap=True)
        sys.exit(2)


def missing_extra(error: BaseException) -> str | None:
    """What to install, where the model's libraries are not: the data sets and the metrics do without."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name not in ("transformers", "peft", "tokenizers", "torchvision", "wandb", "huggingface_hub"):
        return None
    return f"this command needs {name}, which is not installed: pip install 'nano-emox\\[model]' (data sets and metrics do without)"


def _errors_of_use() -> tuple[type[Exception], ...]:
    """Errors whose message says all. Where a module was not imported, its error was not raised; not all are installed everywhere."""
    homes = {
        "nano_emox.config": "ConfigError",
        "data_modules.containers": "MediaError",
        "data_modules.cards.card": "DatasetError",
        "data_modules.synthetic.corpus": "CorpusError",
        "data_modules.readers.annotation": "AnnotationError",
        "data_modules.features": "DamagedShard",
        "data_modules.inputs": "NotExtracted",
        "data_modules.workers": "WorkerError",
        "callbacks.accounting": "AccountingError",
        "lightning.fabric.utilities.exceptions": "MisconfigurationException",
        "callbacks.stability": "NonFiniteError",
        "nano_emox.checkpoint_io": "CheckpointError",
        "nano_emox.batch": "OverlongError",
        "nano_emox.metrics.fetch": "FetchError",
    }
    return tuple(getattr(sys.modules[home], name) for home, name in homes.items() if home in sys.modules)


if __name__ == "__main__":
    main()
