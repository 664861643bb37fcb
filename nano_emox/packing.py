"""Rows without padding: their tokens side by side in bins, and tokens that rows have in common only once.

A bin is a forest: a token's parent is the token before it, and it attends to its ancestors and itself. Rows that begin
alike share the path until they part, so instructions, candidate labels and whole prompts are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Where tokens went; `rows` many, the longest of `longest` tokens.

    Attributes:
        row, index: (bins, length) int64: which token of which row is here; -1 where a bin is not full.
        place: (rows, longest) int64: where a row's token is, counted through the bins; -1 after the row's end.
        attends: (bins, length, length) bool: which tokens (last axis) a token sees; one in an unfilled place sees itself.
    """

    row: Tensor
    index: Tensor
    place: Tensor
    attends: Tensor


def pack(rows: Sequence[Sequence[Hashable]], roots: Sequence[Hashable] = (), attention: float = 0.0) -> Packing:
    """Lay rows into bins.

    Args:
        rows: what each token is; tokens are one where they and all before them are equal. Give modality tokens a name of
            their own, since equal ids there do not mean equal content.
        roots: what each row stands after, if anything (a cached prefix): only rows of one root share tokens.
        attention: cost of a pair of tokens in attention, over the cost of a token in everything else. It decides between
            a few long bins, which have no padding, and many short ones, whose attention is cheaper.
    """
    roots = roots or [None] * len(rows)
    bins = _bins(rows, roots, sum(map(len, rows)))  # one bin, in which most can be shared
    size = len(bins[0].parents)
    capacity, work = _capacity([len(row) for row in rows], attention)
    if work < size * (1 + attention * size):
        bins = _bins(rows, roots, capacity)
    longest = max((len(row) for row in rows), default=0)
    length = max(len(one.parents) for one in bins)
    shape = (len(bins), length)
    row_of, index_of = np.full(shape, -1), np.full(shape, -1)
    place, attends = np.full((len(rows), longest), -1), np.zeros((*shape, length), dtype=bool)
    for number, one in enumerate(bins):
        sees = attends[number]
        for token, parent in enumerate(one.parents):
            if parent >= 0:
                sees[token] = sees[parent]
            sees[token, token] = True
        unfilled = range(len(one.parents), length)
        sees[unfilled, unfilled] = True
        row_of[number, : len(one.owners)], index_of[number, : len(one.depths)] = one.owners, one.depths
        for row, path in one.paths.items():
            place[row, : len(path)] = np.array(path, dtype=np.int64) + number * length
    return Packing(*(torch.from_numpy(array) for array in (row_of, index_of, place, attends)))


class _Bin:
    """Tokens in order of arrival, a parent before its children."""

    def __init__(self) -> None:
        self.children: dict[tuple[Hashable, Hashable], int] = {}
        self.parents: list[int] = []
        self.owners: list[int] = []
        self.depths: list[int] = []
        self.paths: dict[int, list[int]] = {}

    def shared(self, row: Sequence[Hashable], root: Hashable) -> int:
        """How many of the row's first tokens are here already."""
        at: Hashable = (root,)
        for depth, token in enumerate(row):
            known = self.children.get((at, token))
            if known is None:
                return depth
            at = known
        return len(row)

    def add(self, number: int, row: Sequence[Hashable], root: Hashable) -> None:
        at: Hashable = (root,)
        path = self.paths[number] = []
        for depth, token in enumerate(row):
            known = self.children.get((at, token))
            if known is None:
                known = self.children[at, token] = len(self.parents)
                self.parents.append(path[-1] if path else -1)
                self.owners.append(number)
                self.depths.append(depth)
            path.append(known)
            at = known


def _bins(rows: Sequence[Sequence[Hashable]], roots: Sequence[Hashable], capacity: int) -> list[_Bin]:
    """Longest rows first, each into the bin that has most of it already and room for the rest."""
    bins: list[_Bin] = []
    for number in sorted(range(len(rows)), key=lambda number: -len(rows[number])):
        row, root = rows[number], roots[number]
        shared = [one.shared(row, root) for one in bins]
        fitting = [i for i, one in enumerate(bins) if len(one.parents) + len(row) - shared[i] <= capacity]
        if fitting:
            best = bins[max(fitting, key=lambda i: shared[i])]
        else:
            bins.append(best := _Bin())
        best.add(number, row, root)
    return bins or [_Bin()]


def _capacity(lengths: Sequence[int], attention: float) -> tuple[int, float]:
    """The bin size with the least work, and that work, as if nothing were shared."""
    total, longest = sum(lengths), max(lengths, default=0)
    sizes = {max(longest, math.ceil(total / parts)) for parts in range(1, len(lengths) + 1)}
    work = {size: _first_fit(lengths, size) * size * (1 + attention * size) for size in sorted(sizes)}
    best = min(work, key=lambda size: work[size])
    return best, work[best]


def _first_fit(lengths: Sequence[int], size: int) -> int:
    rest: list[int] = []
    for length in sorted(lengths, reverse=True):
        at = next((i for i, free in enumerate(rest) if free >= length), None)
        if at is None:
            rest.append(size - length)
        else:
            rest[at] -= length
    return len(rest)
