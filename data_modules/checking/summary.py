"""What a check found out about a data set, as plain values: pages, tables and JSON are made of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from data_modules.checking.histogram import Histogram

SCHEMA = 1  # of `as_json`


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry or clip that something is to be said about.

    Attributes:
        where: the sample's id, or the place in the annotation.
        reason: a `Fault` or a `Reason`.
        message: which file, what was expected, what to do.
    """

    where: str
    reason: str
    message: str


@dataclass
class SplitCheck:
    """One split. `listed` is what can be used, what the annotation gets wrong, and what the media get wrong, together.

    Attributes:
        published: how many samples the release has; None where that is not established.
        listed: entries of the annotation.
        faults: entries of the annotation that cannot be used.
        broken: clips whose media are missing or cannot be read.
        without_video, without_audio: usable clips that were announced with one and have none: a modality is absent.
        silent: ids of clips in whose sound track nothing is audible.
        balance: class (or sign of the score, or open word) -> samples.
        balance_of: `label`, `sentiment` or `words`.
        unread: why the split as a whole cannot be read; empty where it can.
    """

    name: str
    published: int | None = None
    listed: int = 0
    faults: list[Finding] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    without_video: list[Finding] = field(default_factory=list)
    without_audio: list[Finding] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    balance: Counter[str] = field(default_factory=Counter)
    balance_of: str = ""
    durations: Histogram = field(default_factory=Histogram)
    unread: str = ""

    @property
    def usable(self) -> int:
        """Samples that training or evaluation would get."""
        return self.listed - len(self.faults) - len(self.broken)

    @property
    def complete(self) -> bool | None:
        """Whether the annotation lists as many samples as the release has; None where that is not established."""
        return None if self.published is None else self.listed == self.published


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Several names for one thing.

    Attributes:
        kind: `content` (the same files under several ids) or `id` (one id in several splits).
        clips: `split/id` of each.
        leak: it is in the train split and in another: what is trained on would be scored.
    """

    kind: str
    clips: tuple[str, ...]
    leak: bool

    def named(self, first: int = 3) -> str:
        """The clips in a line; only the first ones by name."""
        rest = f" and {len(self.clips) - first:,} more" if len(self.clips) > first else ""
        return " = ".join(self.clips[:first]) + rest


@dataclass
class DatasetCheck:
    """One layout of one data set below one data root.

    Attributes:
        synthetic: the data root is a synthetic corpus: published numbers do not apply.
        decoded: whether every file was decoded to its end.
        published: samples of all splits together, where only that is established.
    """

    dataset: str
    layout: str
    root: str
    synthetic: bool
    decoded: bool
    splits: list[SplitCheck]
    duplicates: list[Duplicate] = field(default_factory=list)
    published: int | None = None

    @property
    def clips(self) -> int:
        """Entries of all splits."""
        return sum(split.listed for split in self.splits)

    @property
    def wrong(self) -> list[str]:
        """What is wrong, a sentence each; empty if the data set is as it was published and every clip can be used."""
        sentences = []
        for split in self.splits:
            if split.unread:
                sentences.append(f"{split.name} cannot be read: {split.unread}")
                continue
            if split.complete is False:
                sentences.append(f"{split.name} lists {split.listed:,} samples; {split.published:,} were published")
            for kind, found in (("annotation", split.faults), ("media", split.broken)):
                if found:
                    reasons = ", ".join(f"{count:,} {reason}" for reason, count in by_reason(found).items())
                    sentences.append(f"{split.name}, {kind}: {reasons}")
        if self.published is not None and self.clips != self.published:
            sentences.append(f"all splits list {self.clips:,} samples; {self.published:,} were published")
        what = {"content": ("one clip is", "clips are"), "id": ("one id is", "ids are")}
        for kind, (one, many) in what.items():
            if leaks := [duplicate for duplicate in self.duplicates if duplicate.leak and duplicate.kind == kind]:
                trained = next(clip for clip in leaks[0].clips if clip.startswith("train/"))
                scored = next(clip for clip in leaks[0].clips if not clip.startswith("train/"))
                example = f"e.g. {trained} is {scored}"
                sentences.append(
                    f"{one if len(leaks) == 1 else f'{len(leaks):,} {many}'} both in train and in another split, {example}"
                )
        return sentences

    def as_json(self) -> dict[str, Any]:
        """Plain values for a file; `schema` is raised when a field changes its meaning."""
        plain = asdict(self)
        for split, values in zip(self.splits, plain["splits"], strict=True):
            values |= {"usable": split.usable, "complete": split.complete}
            values["balance"] = dict(split.balance.most_common())
            values["faults_by_reason"], values["broken_by_reason"] = by_reason(split.faults), by_reason(split.broken)
        return {"schema": SCHEMA, **plain, "clips": self.clips, "wrong": self.wrong}


def by_reason(findings: list[Finding]) -> Mapping[str, int]:
    """How many of each reason, the most frequent first."""
    counted = Counter(finding.reason for finding in findings)
    return dict(sorted(counted.items(), key=lambda entry: (-entry[1], entry[0])))
