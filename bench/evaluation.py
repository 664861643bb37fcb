"""A closed-label benchmark, answered: clip by clip from the media file, or in batches from the store. And the wheel metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from openpyxl import Workbook

from bench.presets import Row
from bench.reference import ReferencePath
from bench.samples import WORDS, lengths, make_samples
from bench.setting import Setting
from bench.timing import Ratio, Work, ratio, round_robin
from data_modules.record import Item, Sample, Task
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.metrics.wheel_scores import wheel_set_scores
from nano_emox.metrics.wheels import WHEELS, compile_wheels
from nano_emox.predict import Predictor

Rows = list[tuple[Sample, Task]]
MODALITIES = ("visual", "face", "speech", "fusion", "text")
CLIPS = 500  # of a benchmark
BATCH = 16  # evaluation.batch_size of the paper preset
NEW_TOKENS = 9  # "The most likely label is happy." and its end; random weights would never stop by themselves
# All modalities, and 15 words: two and a half a second, as people speak, in a clip of six seconds.
LABELS = {
    "": Row(Task.MER, 196, 9),  # 7 labels
    "_intents": Row(Task.MIR, 236, 4),  # 30 labels
    "_long": Row(Task.MER, 250, 9),  # 69 words
}


def measure(setting: Setting, rounds: int) -> Iterator[Ratio]:
    """`evaluate.closed_label` by candidates' likelihood, and `..._greedy`, which decodes as the reference does; per clip."""
    few, many = setting.preset.answers
    setting.model.eval()
    path = ReferencePath(setting.model, setting.prompts, MODALITIES)
    whole = few >= CLIPS
    for name, row in LABELS.items():
        rows = make_samples([row] * max(few, many), setting.clips, setting.prompts, MODALITIES)
        new = NEW_TOKENS if row.task is Task.MER else row.supervised

        def reference(rows: Rows = rows, new: int = new) -> list[list[int]]:
            path.prepare()
            return [path.answer(Item(s, task, 0, setting.media(s)), new) for s, task in rows[:few]]

        def ours(decode: Literal["greedy", "likelihood"], rows: Rows = rows, new: int = new) -> None:
            setting.own_decoder()
            predictor = Predictor(
                setting.model, setting.prompts, modalities=MODALITIES, max_new_tokens=new, decode=decode
            )  # fmt: skip
            for start in range(0, many, BATCH):
                predictor.answers(setting.from_store(rows[start : start + BATCH], MODALITIES))

        paths: dict[str, Work] = {
            "reference": reference,
            "likelihood": partial(ours, "likelihood"),
            "greedy": partial(ours, "greedy"),
        }
        taken = round_robin(paths, 1 if whole else rounds, warm_up=not whole)
        tokens = sum(lengths(s, task, setting.prompts, MODALITIES)[0] for s, task in rows) / len(rows)
        asked = f"{len(rows[0][0].candidates)} labels, {tokens:.0f} tokens"
        how = f"all {few} clips" if whole else f"per clip: {few} against {many}"
        for ending, decode in (("", "likelihood"), ("_greedy", "greedy")):
            note = f"{asked}; decode={decode}; {how}; features extracted before"
            yield ratio(
                f"evaluate.closed_label{name}{ending}", taken["reference"], taken[decode], shares=(few, many), note=note
            )


def measure_wheels(directory: Path, rounds: int) -> Iterator[Ratio]:
    """`metric.wheels`: the tables read again in every call, twice as released, or once."""
    folder = write_wheels(directory / "wheels")
    gold = {f"clip{n}": f"{WORDS[n % 50]}, {WORDS[n * 7 % 50]}" for n in range(2000)}
    said = {f"clip{n}": f"{WORDS[n % 50]}, {WORDS[n * 3 % 50]}" for n in range(2000)}

    def reference() -> object:
        compile_wheels(folder)
        return wheel_set_scores(gold, said, Lexicon("read again", WHEELS, compile_wheels(folder)))

    def ours() -> object:
        return wheel_set_scores(gold, said, load_lexicon(folder))

    taken = round_robin({"reference": reference, "ours": ours}, rounds)
    yield ratio("metric.wheels", taken["reference"], taken["ours"], note="2,000 answers, tables in the released format")


def write_wheels(folder: Path) -> Path:
    """Five wheels, synonyms and word forms in the released files' layout, about as large as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    inner, words = WORDS[:8], [f"{word}{ending}" for word in WORDS for ending in ("", "ing", "ed")]
    for wheel in WHEELS:
        rows = [(word if n % 12 == 0 else None, f"{word}{n}", words[n]) for n, word in enumerate(inner * 12)]
        _write_sheet(folder / f"{wheel}.xlsx", ("level1", "level2", "level3"), rows)
    columns = tuple(f"{kind}_run{run}" for run in range(1, 9) for kind in ("word", "synonym"))
    synonyms = [tuple(value for run in range(8) for value in (word, f"{word}, {word}{run}")) for word in words]
    _write_sheet(folder / "synonym.xlsx", columns, synonyms)
    lines = ["name,format", *(f'{word},"{word}, {word}ly, {word}ness"' for word in words for _ in range(10))]
    (folder / "format.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _write_sheet(path: Path, names: tuple[str, ...], rows: Sequence[tuple[str | None, ...]]) -> None:
    book = Workbook()
    for row in (names, *rows):
        book.active.append(row)
    book.save(path)
