"""Splits where none is official, and clips that are in training and in evaluation at once.

samples = load_samples("CREMA-D", root, "all")
parts = grouped_split(samples, "actor", {"train": 0.8, "validation": 0.1, "test": 0.1}, seed=0)

found = overlap({"MER-Caption+": train}, {"OV-MERD": test})
print(*found, sep="\\n")
train = without_overlap({"MER-Caption+": train}, found)["MER-Caption+"]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from data_modules.datasets import DATASETS
from data_modules.features import ContentKeys
from data_modules.media import MediaError
from data_modules.record import Media, Sample


def grouped_split(
    samples: Sequence[Sample], by: str | Callable[[Sample], str], shares: Mapping[str, float], seed: int = 0
) -> dict[str, list[Sample]]:
    """Divide samples so that no actor, speaker or dialogue is in two parts.

    Groups are put in an order that depends on their names and the seed alone, not on the order of the samples, and that order
    is cut where the shares say; a part's size is off by at most half of a group at each end.

    Args:
        by: a key of `Sample.meta`, e.g. `actor`, `speaker`, `dialogue`; or a function from a sample to its group.
        shares: of each part, in any unit; e.g. `{"train": 0.8, "validation": 0.1, "test": 0.1}`.

    Returns:
        The samples of each part, in their old order, with the part as their `split`.

    Raises:
        ValueError: a sample does not say what group it is of; or there are fewer groups than parts.
    """
    if not shares or any(share <= 0 for share in shares.values()):
        raise ValueError(f"every part needs a positive share, got {dict(shares)}")
    groups: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        groups[_group(sample, by)].append(index)
    if len(groups) < len(shares):
        raise ValueError(f"{len(groups)} groups cannot be divided into {list(shares)}; split by something finer")
    order = sorted(groups, key=lambda group: blake2b(f"{seed}|{group}".encode(), digest_size=8).digest())
    names = list(shares)
    total, taken = sum(shares.values()), 0
    part_of: dict[int, str] = {}
    edges = [len(samples) * sum(list(shares.values())[: i + 1]) / total for i in range(len(names))]
    part = filled = 0
    for number, group in enumerate(order):
        size = len(groups[group])
        left = len(order) - number  # groups still to give, this one included
        while part < len(names) - 1 and filled and (taken + size / 2 > edges[part] or left < len(names) - part):
            part, filled = part + 1, 0
        for index in groups[group]:
            part_of[index] = names[part]
        taken, filled = taken + size, filled + 1
    return {
        name: [replace(sample, split=name) for index, sample in enumerate(samples) if part_of[index] == name] for name in names
    }


def _group(sample: Sample, by: str | Callable[[Sample], str]) -> str:
    if callable(by):
        return by(sample)
    if sample.meta.get(by) is None:
        raise ValueError(f"{sample.dataset}/{sample.id} has no {by!r}; its meta has {sorted(sample.meta)}")
    return str(sample.meta[by])


@dataclass(frozen=True, slots=True)
class Overlap:
    """Clips of one training set that are in one evaluation set as well.

    Attributes:
        pairs: (id in training, id in evaluation), in the order of the training set.
        listed: samples of the evaluation set.
        by: `name`, or `content` where the names differ and the video's bytes do not.
    """

    train: str
    evaluation: str
    pairs: tuple[tuple[str, str], ...]
    listed: int
    by: str

    def __str__(self) -> str:
        shared = len({evaluated for _, evaluated in self.pairs})
        first = ", ".join(trained for trained, _ in self.pairs[:5])
        return (
            f"{self.train} trains on {shared} of the {self.listed} clips of {self.evaluation}, by {self.by}: {first}"
            f"{', ...' if self.pairs[5:] else ''}"
        )


def overlap(
    train: Mapping[str, Sequence[Sample]], evaluation: Mapping[str, Sequence[Sample]], keys: ContentKeys | None = None
) -> list[Overlap]:
    """Which clips are in training and in evaluation at once, by pair of data sets.

    Clips are the same where their ids are equal and the data sets name their clips alike (`DatasetCard.clip_names`, or the
    same data set). With `keys` also where the bytes of the video are equal, or of the sound where there is no video;
    files that are missing are the same as nothing.

    Args:
        train: samples by data set.
        evaluation: samples by data set.
        keys: addresses of clips by content; every file is read once.
    """
    found = []
    for trained, own in train.items():
        for evaluated, others in evaluation.items():
            alike = _family(trained) == _family(evaluated)
            ids = {sample.id for sample in others} if alike else set()
            named = {sample.id: sample.id for sample in own if sample.id in ids}
            by_content: dict[str, str] = {}
            if keys is not None:
                held = {key: sample.id for sample in others if (key := _content(sample, keys)) is not None}
                by_content = {
                    sample.id: held[key]
                    for sample in own
                    if sample.id not in named and (key := _content(sample, keys)) is not None and key in held
                }
            for by, same in (("name", named), ("content", by_content)):
                if same:
                    found.append(Overlap(trained, evaluated, tuple(same.items()), len(others), by))
    return found


def without_overlap(train: Mapping[str, Sequence[Sample]], found: Sequence[Overlap]) -> dict[str, list[Sample]]:
    """The training samples, by data set, less those that are in an evaluation set."""
    left_out: dict[str, set[str]] = defaultdict(set)
    for each in found:
        left_out[each.train].update(trained for trained, _ in each.pairs)
    return {name: [sample for sample in samples if sample.id not in left_out[name]] for name, samples in train.items()}


def _family(dataset: str) -> str:
    return (DATASETS[dataset].clip_names if dataset in DATASETS else "") or dataset


def _content(sample: Sample, keys: ContentKeys) -> str | None:
    media = sample.media
    part = Media(media.video, span=media.span, crop=media.crop) if media.video is not None else Media(audio=media.audio)
    try:
        return keys(part)
    except MediaError:
        return None
