"""Dropout drops as often as it says, scales what it keeps, and passes gradients there alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.testing import assert_close

from nano_emox.dropout import keep_mask
from nano_emox.fused import fuse


def test_dropout_keeps_as_many_as_it_says_and_other_ones_each_time():
    torch.manual_seed(0)
    x = torch.empty(301, 333)
    for share in (0.05, 0.5, 0.9):
        one, other = keep_mask(x, share), keep_mask(x, share)
        assert one.shape == x.shape
        assert one.dtype == torch.bool
        assert abs(float(one.float().mean()) - (1 - share)) < 0.006  # four standard deviations at 0.5
        both = float((one & other).float().mean())
        assert abs(both - (1 - share) ** 2) < 0.006  # independent
        neighbours = float((one[:, 1:] & one[:, :-1]).float().mean())
        assert abs(neighbours - (1 - share) ** 2) < 0.006


def test_a_module_drops_in_training_alone_and_scales_what_it_keeps():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Dropout(0.25), nn.Dropout(0.0))
    fuse(module)
    x = torch.randn(40, 50, requires_grad=True)
    out = module(x)
    kept = out != 0
    assert 0.65 < float(kept.float().mean()) < 0.85
    assert_close(out, torch.where(kept, x / 0.75, 0))
    out.sum().backward()
    assert_close(x.grad, kept / 0.75)
    assert module.eval()(x) is x or torch.equal(module(x), x)


def test_everything_may_be_dropped():
    module = nn.Dropout(1.0)
    fuse(module)
    assert not module(torch.randn(3, 4)).any()
