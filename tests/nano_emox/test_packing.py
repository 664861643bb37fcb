"""Rows in one sequence: nothing lost, nothing twice, nobody sees another row; and attention over it is attention."""

from __future__ import annotations

import random
from collections.abc import Collection

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from nano_emox.packing import QUERIES, Attention, pack
from nano_emox.row_attention import RowBlocks, attend

ROWS = [list("abcdefgh"), list("abcxy"), list("qr"), list("abcxyz"), [], list("a")]
LONG = [[*"instruction", *((number, place) for place in range(length))] for number, length in enumerate([300, 5, 2, 130, 129])]
SAID = ([201, 1], [201, 2, 3], [202, 4], [203], [203, 5, 6])
CANDIDATES = [[(clip, place) for place in range(200)] + said for clip in range(6) for said in SAID]


def seen(attention: Attention, wanted: Collection[int] | None = None) -> dict[int, list[int]]:
    """By place, all or those `wanted`, the keys that it sees: given ones and packed ones, as the blocks have them."""
    found: dict[int, list[int]] = {}
    outputs = [place for block in attention.blocks for place in block.queries.flatten().tolist()]
    rows = [
        (keys, row) for block in attention.blocks for keys, piece in zip(block.keys, block.sees, strict=True) for row in piece
    ]
    for place, at in enumerate(attention.answers.tolist()):
        if wanted is not None and place not in wanted:
            continue
        assert outputs[at] == place
        keys, row = rows[at]
        found[place] = keys[row].tolist()
    return found


@pytest.mark.parametrize("rows", [ROWS, LONG, CANDIDATES], ids=["short", "long", "candidates"])
@pytest.mark.parametrize("prefixes", [[], ["", "before", "before", "other", "other", ""] * 5], ids=["alone", "prefixes"])
def test_every_token_sees_its_prefix_and_its_own_row_up_to_itself(rows, prefixes):
    prefixes = prefixes[: len(rows)]
    packing = pack(rows, prefixes)
    bank = [token for prefix in dict.fromkeys(map(tuple, prefixes)) for token in prefix]
    assert packing.given == len(bank)
    bank += [rows[row][index] for row, index in zip(packing.row.tolist(), packing.index.tolist(), strict=True)]
    found = seen(packing.attention)
    assert sorted(found) == list(range(len(packing.row)))
    for number, row in enumerate(rows):
        prefix = list(prefixes[number]) if prefixes else []
        for depth in range(len(row)):
            place = int(packing.place[number, depth])
            assert [bank[key] for key in found[place]] == [*prefix, *row[: depth + 1]]
            assert int(packing.index[place]) == depth
        assert (packing.place[number, len(row) :] == -1).all()


@pytest.mark.parametrize("rows", [ROWS, LONG, CANDIDATES], ids=["short", "long", "candidates"])
def test_the_last_layer_attends_where_an_output_is_wanted_and_hardly_elsewhere(rows):
    draw = random.Random(0)
    wanted = [(n, place) for n, row in enumerate(rows) if row for place in range(draw.randrange(len(row)), len(row))]
    packing = pack(rows, wanted=tuple(torch.tensor(column) for column in zip(*wanted, strict=True)))
    assert packing.last is not None
    every = seen(packing.attention)
    places = {int(packing.place[row, index]) for row, index in wanted}
    assert seen(packing.last, places) == {place: every[place] for place in sorted(places)}
    asked = sum(block.queries.numel() for block in packing.last.blocks)
    assert asked <= sum(block.queries.numel() for block in packing.attention.blocks)


def test_answers_are_all_that_asks_in_the_last_layer():
    rows = [[*"instruction", *((number, place) for place in range(40 + number))] for number in range(16)]
    wanted = [(number, place) for number, row in enumerate(rows) for place in range(len(row) - 3, len(row))]
    last = pack(rows, wanted=tuple(torch.tensor(column) for column in zip(*wanted, strict=True))).last
    assert last is not None
    assert 3 * 16 <= sum(block.queries.numel() for block in last.blocks) <= 4 * 16


def test_what_rows_have_in_common_is_there_once():
    packing = pack(ROWS)
    assert len(packing.row) == 8 + 2 + 2 + 1  # abcdefgh, xy, qr, z; nothing is left of the rest
    assert packing.place[0, :3].tolist() == packing.place[1, :3].tolist()
    apart = pack(ROWS, [[number] for number in range(len(ROWS))])
    assert len(apart.row) == sum(len(row) for row in ROWS)


def test_attention_is_paid_for_what_is_seen():
    """Blocks have hardly more pairs than rows alone would have, cut into pieces; candidates share their prompt's keys."""
    for rows in (LONG, CANDIDATES):
        packing = pack(rows)
        paid = sum(block.sees.numel() for block in packing.attention.blocks)
        needed = sum(int(block.sees.sum()) for block in packing.attention.blocks)  # half of a square is what a causal row needs
        assert needed < paid < 3.2 * needed < len(packing.row) ** 2
    assert sum(len(block.queries) for block in pack(CANDIDATES).attention.blocks) == 2 * 6
    assert max(block.queries.shape[1] for block in pack(LONG).attention.blocks) <= QUERIES


def test_like_pieces_make_few_blocks():
    draw = random.Random(0)
    rows = [[(number, place) for place in range(draw.randint(40, 90))] for number in range(64)]
    assert len(pack(rows).attention.blocks) <= 4


@pytest.mark.parametrize("seed", range(4))
def test_attention_over_blocks_is_attention_of_each_row(seed):
    draw, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    prefixes = [draw.choice(["", "before", "other"]) for _ in range(5)]
    rows = [[draw.choice("ab") for _ in range(draw.randint(1, 9))] + [n] * draw.randint(0, 150) for n in range(5)]
    packing = pack(rows, prefixes)
    length, heads, groups, dim = len(packing.row), 4, 2, 8
    query = torch.randn(1, heads, length, dim, generator=generator, requires_grad=True)
    key, value = (
        torch.randn(1, groups, packing.given + length, dim, generator=generator, requires_grad=True) for _ in range(2)
    )
    visible = torch.rand(length, generator=generator) > 0.1
    out, _ = attend(nn.Module(), query, key, value, None, rows=RowBlocks.of(packing, visible))
    weights = torch.randn(out.shape, generator=generator)
    found = [out, *torch.autograd.grad((out * weights).sum(), (query, key, value))]

    mask = torch.zeros(length, packing.given + length, dtype=torch.bool)
    for place, keys in seen(packing.attention).items():
        mask[place, keys] = True
    mask[:, packing.given :] &= visible | torch.eye(length, dtype=torch.bool)
    plain = whole_attention(query, key, value, mask)
    assert_close(found, [plain, *torch.autograd.grad((plain * weights).sum(), (query, key, value))], atol=1e-5, rtol=1e-4)


def whole_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    key, value = (part.repeat_interleave(2, 1) for part in (key, value))
    scores = (query @ key.transpose(2, 3)) * query.shape[-1] ** -0.5
    return (scores.masked_fill(~mask, -torch.inf).softmax(-1) @ value).transpose(1, 2)
