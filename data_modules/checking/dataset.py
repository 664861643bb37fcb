"""A whole data set looked over: every entry of its annotation, every file that it names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from data_modules.cards.card import DatasetCard
from data_modules.checking.files import AUDIO, VIDEO, FileJob, FileReport, job_of
from data_modules.checking.histogram import bin_width, histogram
from data_modules.checking.ledger import Ledger
from data_modules.checking.summary import DatasetCheck, Duplicate, Finding, SplitCheck
from data_modules.checking.workers import check_in_processes
from data_modules.containers import ABSENT, Reason, covers
from data_modules.datasets import card_of, find_reader, read_annotation
from data_modules.readers.annotation import Annotation, AnnotationError
from data_modules.record import Media, Sample
from data_modules.synthetic.corpus import MANIFEST

AS_PUBLISHED = ("original", "unibench")  # layouts with the release's own splits; others are parts of it, or merge some
Files = Mapping[Path, FileReport]


def check_dataset(
    name: str,
    root: Path,
    *,
    layout: str | None = None,
    ledger: Ledger | None = None,
    workers: int = 0,
    decode: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetCheck:
    """Look over one data set; the result does not depend on `workers`, nor on how often the check was interrupted.

    Args:
        layout: of the card's; None is the first one that is there.
        ledger: takes every finding as it comes and gives those of an earlier check back.
        workers: processes; 0 for none but this one, where a file that crashes the decoder ends it.
        decode: every file to its end, instead of its header and packets.
        progress: called with the number of clips done and of all clips.

    Raises:
        KeyError: no data set of that name.
        FileNotFoundError: it is not below the root; the message says how to obtain it.
    """
    card = card_of(name)
    reader = find_reader(card, root, layout)
    found = {split: _annotation(card, root, split, layout) for split in card.splits if split in reader.splits}
    samples = [sample for annotation in found.values() if not isinstance(annotation, str) for sample in annotation.samples]
    files = check_files_of(samples, Ledger() if ledger is None else ledger, workers=workers, decode=decode, progress=progress)
    here = next(key for key, value in card.layouts.items() if value is reader)
    synthetic = (root / MANIFEST).is_file()
    counts = card.published if not synthetic and here in (next(iter(card.layouts)), *AS_PUBLISHED) else {}
    splits: list[SplitCheck] = []
    lengths: list[list[float]] = []
    seen: set[str] = set()
    for split, annotation in found.items():
        published = counts.get(split)
        if isinstance(annotation, str):
            splits.append(SplitCheck(split, published, unread=annotation))
            lengths.append([])
            continue
        rejected = [
            error for error in annotation.rejected if str(error) not in seen
        ]  # without official splits, each repeats them
        seen |= {str(error) for error in rejected}
        checked, seconds = check_split(split, annotation.samples, rejected, files, published)
        splits.append(checked)
        lengths.append(seconds)
    step = bin_width([value for seconds in lengths for value in seconds])
    for checked, seconds in zip(splits, lengths, strict=True):
        checked.durations = histogram(seconds, step)
    return DatasetCheck(
        dataset=name,
        layout=here,
        root=str(root),
        synthetic=synthetic,
        decoded=decode,
        splits=splits,
        duplicates=find_duplicates(samples, files),
        published=counts.get("all"),
    )


def check_files_of(
    samples: Sequence[Sample],
    ledger: Ledger,
    *,
    workers: int = 0,
    decode: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[Path, FileReport]:
    """A report on every file that the samples name; a file that many samples share is looked at once."""
    clips_of: dict[Path, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        for path in _paths(sample):
            clips_of[path].append(index)
    many = {_sound(sample) for sample in samples if sample.media.span} | {s.media.video for s in samples if s.media.span}
    jobs = [job_of(path, decode=decode, of_many=path in many) for path in clips_of]
    sizes = Counter(job.size for job in jobs)  # files of different sizes differ: they need not be read to know it
    jobs = [replace(job, digest=sizes[job.size] > 1 and job.size > 0) for job in jobs]
    left = [len(_paths(sample)) for sample in samples]
    reports: dict[Path, FileReport] = {}
    done = 0

    def take(found: Iterable[tuple[FileJob, FileReport]]) -> None:
        nonlocal done
        for job, report in found:
            reports[job.path] = report
            for index in clips_of[job.path]:
                left[index] -= 1
                done += not left[index]
        if progress is not None:
            progress(done, len(samples))

    known = {job: ledger.find(job) for job in jobs}
    take((job, report) for job, report in known.items() if report is not None)
    for found in check_in_processes([job for job, report in known.items() if report is None], workers):
        ledger.add(found)
        take(found)
    return {path: reports[path] for path in clips_of}


def check_split(
    name: str, samples: Sequence[Sample], rejected: Sequence[AnnotationError], files: Files, published: int | None
) -> tuple[SplitCheck, list[float]]:
    """Everything about one split but its histogram, and the lengths of its clips in seconds."""
    split = SplitCheck(name, published, listed=len(samples) + len(rejected))
    split.faults = [Finding(str(error.place), error.fault.value, str(error)) for error in rejected]
    seconds = []
    for sample in samples:
        length = _check_sample(sample, files, split)
        if length is not None:
            seconds.append(length)
    split.balance_of, split.balance = class_balance(samples)
    return split, seconds


def class_balance(samples: Sequence[Sample]) -> tuple[str, Counter[str]]:
    """By what samples are counted (`label`, `sentiment`, `words`), and how many there are of each."""
    if any(sample.label is not None for sample in samples):
        classes = Counter(dict.fromkeys(next((s.candidates for s in samples if s.candidates), ()), 0))
        classes.update(sample.label for sample in samples if sample.label is not None)
        return "label", classes
    if any(sample.score is not None for sample in samples):
        signs = ("zero", "positive", "negative")
        return "sentiment", Counter(signs[(s.score > 0) - (s.score < 0)] for s in samples if s.score is not None)
    return "words", Counter(word for sample in samples for word in sample.words or ())


def find_duplicates(samples: Sequence[Sample], files: Files) -> list[Duplicate]:
    """Clips with the same content under several ids (one file named twice, or copies), and ids that several splits have."""
    by_id: dict[str, list[str]] = defaultdict(list)
    by_content: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for sample in samples:
        by_id[sample.id].append(sample.split)
        media = sample.media
        contents = tuple(_content(path, files[path]) if path is not None else "-" for path in (media.video, media.audio))
        if all(contents):
            by_content[(*contents, media.span, media.crop)].append(f"{sample.split}/{sample.id}")
    same = [Duplicate("content", tuple(clips), _leaks(clip.partition("/")[0] for clip in clips))
            for clips in by_content.values() if len({clip.partition("/")[2] for clip in clips}) > 1]  # fmt: skip
    again = [Duplicate("id", tuple(f"{split}/{name}" for split in splits), _leaks(splits))
             for name, splits in by_id.items() if len(splits) > 1]  # fmt: skip
    return same + again


def _content(path: Path, report: FileReport) -> str:
    """What tells a file's content: its digest; of a size that no other file has, its name. Empty where nothing is readable."""
    return report.digest or ("" if len(report.problems) > 1 else str(path))


def _leaks(splits: Iterable[str]) -> bool:
    there = set(splits)
    return "train" in there and len(there) > 1


def _annotation(card: DatasetCard, root: Path, split: str, layout: str | None) -> Annotation | str:
    try:
        return read_annotation(card.name, root, split, layout=layout)
    except (AnnotationError, OSError) as error:
        return str(error)


def _sound(sample: Sample) -> Path:
    """The file that its sound is taken from."""
    path = sample.media.audio or sample.media.video
    assert path is not None
    return path


def _paths(sample: Sample) -> list[Path]:
    return [path for path in (sample.media.video, sample.media.audio) if path is not None]


def _check_sample(sample: Sample, files: Files, split: SplitCheck) -> float | None:
    """Put a sample under what is to be said about it; the clip's length in seconds, where it is usable and known."""
    media = sample.media
    sound = _sound(sample)
    seen = files[media.video].problems.get(VIDEO) if media.video is not None else None
    heard = files[sound].problems.get(AUDIO)
    for path, problem in ((media.video, seen), (sound, heard)):
        if problem is not None and problem[0] not in ABSENT:
            split.broken.append(Finding(sample.id, problem[0], f"{path}: {problem[1]}"))
            return None
    if heard is not None and (media.video is None or seen is not None):
        split.broken.append(Finding(sample.id, heard[0], f"{sound}: {heard[1]}; nothing is left of the clip"))
        return None
    report = files[media.video or sound]
    if media.span is not None and (short := _short_of_span(media, files)):
        split.broken.append(Finding(sample.id, *short))
        return None
    if seen is not None:
        split.without_video.append(Finding(sample.id, seen[0], f"{media.video}: {seen[1]}"))
    if heard is not None:
        split.without_audio.append(Finding(sample.id, heard[0], f"{sound}: {heard[1]}"))
    elif files[sound].silent:
        split.silent.append(sample.id)
    return media.span[1] - media.span[0] if media.span is not None else report.seconds


def _short_of_span(media: Media, files: Files) -> tuple[str, str] | None:
    """(reason, message) where a file has not enough of the span that is a clip."""
    assert media.video is not None
    assert media.span is not None
    start, end = media.span
    if media.video.is_dir():
        return Reason.UNREADABLE.value, f"{media.video}: a directory of images has no times, so no span of it can be read"
    report = files[media.video]
    for kind in (VIDEO,) if media.audio is not None else (VIDEO, AUDIO):  # a sound of its own is cut already
        length = report.lengths.get(kind)
        if length is not None and kind not in report.problems and not covers(length - start, media.span):
            message = f"{kind} of {length:.2f} s, where a clip from {start:.2f} to {end:.2f} s was to be"
            return Reason.TRUNCATED.value, f"{media.video}: {message}"
    return None
