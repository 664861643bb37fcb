"""Rows without padding: all tokens in one sequence, what rows have in common only once, and who attends to whom.

The tokens are a forest: a token's parent is the token before it, and it attends to its ancestors and itself. Rows that
begin alike share the path until they part, so instructions, candidate labels and whole prompts are computed once. All that
a decoder does position by position runs over this sequence; attention runs over blocks of queries, each with the keys that
they see and hardly another.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

QUERIES = 128  # of a piece: short enough that what comes after a query is seldom among its keys
GATHER = 32  # cost of fetching a key for a piece, and
BLOCK = 50_000  # of a block's kernels, both in pairs of a query and a key
Root = tuple[Hashable, ...]
Array = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Block:
    """Pieces of like size, which attend together.

    Attributes:
        queries: (pieces, q) int64, places in the sequence; the first place again where a piece is shorter.
        keys: (pieces, k) int64, counted through the given prefixes and then the sequence.
        sees: (pieces, q, k) bool.
    """

    queries: Tensor
    keys: Tensor
    sees: Tensor


@dataclass(frozen=True)
class Attention:
    """How a sequence attends.

    Attributes:
        blocks: each place, or each that is wanted, is a query once.
        answers: (length,) int64: where a place's output is in the blocks' outputs, one block after the other; anywhere if
            it is not wanted.
    """

    blocks: tuple[Block, ...]
    answers: Tensor


@dataclass(frozen=True)
class Packing:
    """Where tokens went; `rows` many, the longest of `longest` tokens.

    Attributes:
        row, index: (length,) int64: which token of which row is here.
        place: (rows, longest) int64: where a row's token is; -1 after the row's end.
        given: tokens of all given prefixes together.
        attention: of the whole sequence.
        last: of the last layer, where only some outputs are wanted.
    """

    row: Tensor
    index: Tensor
    place: Tensor
    given: int
    attention: Attention
    last: Attention | None


def pack(
    rows: Sequence[Sequence[Hashable]],
    prefixes: Sequence[Sequence[Hashable]] = (),
    wanted: tuple[Tensor, Tensor] | None = None,
) -> Packing:
    """Lay rows into one sequence.

    Args:
        rows: what each token is; tokens are one where they and all before them are equal. Give modality tokens a name of
            their own, since equal ids there do not mean equal content.
        prefixes: what each row stands after, computed elsewhere; only rows of one prefix share tokens.
        wanted: row and place in it, each (m,) int64, of the tokens whose output the last layer is for.
    """
    roots = [tuple(prefix) for prefix in prefixes] or [()] * len(rows)
    starts: dict[Root, int] = {}
    given = 0
    for root in dict.fromkeys(roots):
        starts[root] = given
        given += len(root)
    forest = _Forest(given)
    for row, root in zip(rows, roots, strict=True):
        forest.add(row, root, starts[root])
    longest = max((len(row) for row in rows), default=0)
    place = np.full((len(rows), longest), -1)
    for number, (path, root) in enumerate(zip(forest.paths, roots, strict=True)):
        place[number, : len(path) - len(root)] = path[len(root) :] - given
    length = len(forest.owners)
    last = None
    if wanted is not None:
        some = np.zeros(length, dtype=bool)
        some[place[wanted[0].numpy(), wanted[1].numpy()]] = True
        last = _attention(_pieces(forest, some), forest)
    owners, depths = (torch.tensor(values, dtype=torch.long) for values in (forest.owners, forest.depths))
    every = _attention(_pieces(forest, np.ones(length, dtype=bool)), forest)
    return Packing(owners, depths, torch.from_numpy(place), given, every, last)


def _attention(pieces: Sequence[_Piece], forest: _Forest) -> Attention:
    blocks, answers, before = [], np.zeros(len(forest.owners), dtype=np.int64), 0
    for group in _groups(pieces):
        block, filled = _block(group, forest.paths, forest.given)
        blocks.append(block)
        answers[block.queries.numpy()[filled]] = before + np.flatnonzero(filled)
        before += filled.size
    return Attention(tuple(blocks), torch.from_numpy(answers))


class _Forest:
    """Tokens in order of arrival, a parent before its children; a row's own ones side by side."""

    def __init__(self, given: int) -> None:
        self.given = given
        self.children: dict[tuple[Hashable, Hashable], int] = {}
        self.owners: list[int] = []
        self.depths: list[int] = []
        self.paths: list[Array] = []  # per row, its prefix and itself as keys, counted as in `Block.keys`
        self.own: list[int] = []  # per row, how many of its last tokens no row before it had

    def add(self, row: Sequence[Hashable], root: Root, start: int) -> None:
        at: Hashable = root
        path: list[int] = []
        for token in row:
            known = self.children.get((at, token))
            if known is None:
                break
            path.append(known)
            at = known
        shared, number, first = len(path), len(self.paths), len(self.owners)
        for child, token in enumerate(row[shared:], first):
            self.children[at, token] = child
            at = child
        own = len(row) - shared
        self.owners += [number] * own
        self.depths += range(shared, len(row))
        tokens = np.array([*path, *range(first, first + own)], dtype=np.int64) + self.given
        self.paths.append(np.concatenate([np.arange(start, start + len(root)), tokens]))
        self.own.append(own)


@dataclass
class _Piece:
    """Some queries, by row: (row, how many of its path's tokens come before the first query, and up to the last one)."""

    runs: list[tuple[int, int, int]]
    keys: Array
    size: int


def _pieces(forest: _Forest, wanted: Flags) -> list[_Piece]:
    """Rows' own tokens in pieces, from the first to the last that is wanted; short neighbours of like keys go together."""
    pieces: list[_Piece] = []
    known = np.zeros(forest.given + len(forest.owners), dtype=bool)  # the keys of the last piece
    for number, (path, own) in enumerate(zip(forest.paths, forest.own, strict=True)):
        first = len(path) - own
        places = first + np.flatnonzero(wanted[path[first:] - forest.given])
        end = int(places[-1]) + 1 if len(places) else 0
        for start in range(int(places[0]) if len(places) else 0, end, QUERIES):
            stop = min(start + QUERIES, end)
            piece = _Piece([(number, start, stop)], path[:stop], stop - start)
            if pieces and _belong(pieces[-1], piece, int(np.count_nonzero(known[piece.keys]))):
                last = pieces[-1]
                known[piece.keys] = True
                pieces[-1] = _Piece(last.runs + piece.runs, np.flatnonzero(known), last.size + piece.size)
            else:
                if pieces:
                    known[pieces[-1].keys] = False
                known[piece.keys] = True
                pieces.append(piece)
    return pieces


def _belong(one: _Piece, other: _Piece, common: int) -> bool:
    """Whether two pieces that have `common` keys are less work together."""
    size, keys = one.size + other.size, len(one.keys) + len(other.keys)
    apart = one.size * len(one.keys) + other.size * len(other.keys) + GATHER * keys
    return size <= QUERIES and (size + GATHER) * (keys - common) <= apart


def _groups(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces that are filled up to one size: with the least work, of all ways to cut them in order of their sizes."""
    order = sorted(pieces, key=lambda piece: (piece.size.bit_length(), len(piece.keys)))
    sizes: list[tuple[int, int, int]] = []  # like sizes are one: how many pieces, queries, keys
    members: list[list[_Piece]] = []
    for piece in order:
        queries, keys = -(-piece.size // 8) * 8, -(-len(piece.keys) // 32) * 32
        if sizes and sizes[-1][1:] == (queries, keys):
            sizes[-1] = (sizes[-1][0] + 1, queries, keys)
            members[-1].append(piece)
        else:
            sizes.append((1, queries, keys))
            members.append([piece])
    best, cut = [0], [0]  # the least work up to a place, and where its last group begins
    for stop in range(1, len(sizes) + 1):
        count = queries = keys = 0
        work = []
        for start in range(stop - 1, -1, -1):
            many, q, k = sizes[start]
            count, queries, keys = count + many, max(queries, q), max(keys, k)
            work.append((best[start] + count * (queries + GATHER) * keys + BLOCK, start))
        least, start = min(work)
        best.append(least)
        cut.append(start)
    groups = []
    stop = len(sizes)
    while stop:
        groups.append([piece for group in members[cut[stop] : stop] for piece in group])
        stop = cut[stop]
    return groups


def _block(group: Sequence[_Piece], paths: Sequence[Array], given: int) -> tuple[Block, Flags]:
    """A block, and which of its queries (pieces, q) are not there to fill it up."""
    size = max(piece.size for piece in group)
    width = -(-max(len(piece.keys) for piece in group) // 8) * 8  # as kernels like a mask to be
    queries = np.zeros((len(group), size), dtype=np.int64)
    keys = np.zeros((len(group), width), dtype=np.int64)
    sees = np.zeros((len(group), size, width), dtype=bool)
    before = np.tri(width, dtype=bool)
    for number, piece in enumerate(group):
        keys[number, : len(piece.keys)] = piece.keys
        at = 0
        for row, start, stop in piece.runs:
            path = paths[row][:stop]
            here = slice(at, at := at + stop - start)
            queries[number, here] = path[start:] - given
            own = slice(stop) if len(piece.runs) == 1 else np.searchsorted(piece.keys, path)  # of one row are all its keys
            sees[number, here][:, own] = before[start:stop, :stop]
        queries[number, at:] = queries[number, 0]
        sees[number, at:] = sees[number, 0]
    filled = np.arange(size) < np.array([piece.size for piece in group])[:, None]
    return Block(*(torch.from_numpy(array) for array in (queries, keys, sees))), filled
