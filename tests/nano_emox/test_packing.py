"""Bins of tokens: nothing lost, nothing twice, nobody sees another row."""

from __future__ import annotations

import pytest
import torch

from nano_emox.packing import pack

ROWS = [list("abcdefgh"), list("abcxy"), list("qr"), list("abcxyz"), [], list("a")]


@pytest.mark.parametrize("attention", [0.0, 0.3, 10.0])
def test_every_token_sees_its_own_row_up_to_itself(attention):
    packing = pack(ROWS, attention=attention)
    length = packing.row.shape[1]
    for number, row in enumerate(ROWS):
        for depth in range(len(row)):
            place = int(packing.place[number, depth])
            where, at = divmod(place, length)
            seen = packing.attends[where, at].nonzero()[:, 0].tolist()
            told = [ROWS[int(packing.row[where, s])][int(packing.index[where, s])] for s in seen]
            assert told == row[: depth + 1]
            assert packing.index[where, seen].tolist() == list(range(depth + 1))
        assert (packing.place[number, len(row) :] == -1).all()


def test_what_rows_have_in_common_is_there_once():
    packing = pack(ROWS)
    assert packing.row.shape == (1, 8 + 2 + 2 + 1)  # abcdefgh, xy, qr, z; nothing is left of the rest
    assert packing.place[0, :3].tolist() == packing.place[1, :3].tolist()
    apart = pack(ROWS, roots=range(len(ROWS)))
    assert int((apart.row >= 0).sum()) == sum(len(row) for row in ROWS)


def test_dear_attention_makes_short_bins_and_padding_is_never_more_than_rows_padded_to_the_longest():
    lengths = [40, 38, 37, 21, 20, 5, 4, 4]
    rows = [[(number, place) for place in range(length)] for number, length in enumerate(lengths)]
    free, dear = pack(rows, attention=0.0), pack(rows, attention=1.0)
    assert free.row.shape == (1, sum(lengths))
    assert dear.row.shape[0] > 1
    assert dear.row.numel() < len(lengths) * max(lengths)
    unfilled = dear.row < 0
    eye = torch.eye(dear.row.shape[1], dtype=torch.bool).expand_as(dear.attends)
    assert torch.equal(dear.attends[unfilled], eye[unfilled])  # an empty place sees itself: softmax needs something
