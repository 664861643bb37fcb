"""Next-token cross entropy over a large vocabulary, in chunks: no tensor of all logits exists, forward or backward.

A frozen head gives the gradient to its input already in the forward pass, while a chunk's logits are there; a trainable
head computes them once more in the backward pass, since its own gradient needs the loss's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LOGITS = 2**25  # of a chunk: 128 MiB in float32; a GPU is busy with it, a laptop can spare it


def cross_entropy(hidden: Tensor, head: nn.Linear, targets: Tensor, logits: int = LOGITS) -> Tensor:
    """Minus the log-probability of each target, in float32.

    Args:
        hidden: (n, width), the decoder's output at supervised positions.
        head: the language model's output layer, (width -> vocabulary).
        targets: (n,) int64, the next tokens.
        logits: how many logits may exist at a time.

    Returns:
        (n,) float32; gradients reach `hidden`, and the head where it trains.
    """
    rows = max(1, logits // head.weight.shape[0])
    losses: Tensor = _ChunkedCrossEntropy.apply(hidden, head.weight, head.bias, targets, rows)
    return losses


@torch.no_grad()
def log_probabilities(hidden: Tensor, head: nn.Linear, rows: Tensor, targets: Tensor, logits: int = LOGITS) -> Tensor:
    """Log-probabilities of tokens, several of them after the same hidden state, whose logits are made once; no gradients.

    Args:
        hidden: (n, width), the decoder's output.
        head: the language model's output layer.
        rows, targets: (m,) int64, the hidden state before each token, and the token.
        logits: how many may exist at a time.

    Returns:
        (m,) float32
    """
    size = max(1, logits // head.weight.shape[0])
    found = torch.empty(len(rows), dtype=torch.float32, device=hidden.device)
    for start in range(0, len(hidden), size):
        scores = head(hidden[start : start + size]).float()
        here = ((rows >= start) & (rows < start + size)).nonzero()[:, 0]
        at = rows[here] - start
        found[here] = scores[at, targets[here]] - scores.logsumexp(-1)[at]
    return found


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return nn.functional.linear(hidden, weight, bias).float()


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, rows: int) -> Tensor:
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        with torch.autocast(kind, enabled=False):
            trains = any(ctx.needs_input_grad[1:3])
            wanted = ctx.needs_input_grad[0] and not trains
            losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
            gradient = torch.empty_like(hidden) if wanted else None
            low, low_bias = weight.to(dtype), None if bias is None else bias.to(dtype)
            for start in range(0, len(hidden), rows):
                part = slice(start, start + rows)
                logits = _logits(hidden[part].to(dtype), low, low_bias)
                total = logits.logsumexp(-1)
                losses[part] = total - logits.gather(1, targets[part, None])[:, 0]
                if gradient is not None:
                    gradient[part] = _from_logits(logits, total, targets[part]).to(dtype) @ low
        ctx.rows, ctx.dtype, ctx.trains = rows, dtype, trains
        ctx.save_for_backward(*((hidden, weight, bias, targets) if trains else (gradient,)))
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.trains:
            (gradient,) = ctx.saved_tensors
            return gradient * outer[0][:, None].to(gradient.dtype), None, None, None, None
        hidden, weight, bias, targets = ctx.saved_tensors
        d_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        d_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        d_bias = torch.zeros_like(bias) if bias is not None and ctx.needs_input_grad[2] else None
        low, low_bias = weight.to(ctx.dtype), None if bias is None else bias.to(ctx.dtype)
        for start in range(0, len(hidden), ctx.rows):
            part = slice(start, start + ctx.rows)
            logits = _logits(hidden[part].to(ctx.dtype), low, low_bias)
            slope = _from_logits(logits, logits.logsumexp(-1), targets[part]).mul_(outer[0][part, None])
            if d_bias is not None:
                d_bias += slope.sum(0)
            slope = slope.to(ctx.dtype)
            if d_hidden is not None:
                d_hidden[part] = slope @ low
            if d_weight is not None:
                d_weight += slope.T @ hidden[part].to(ctx.dtype)
        return d_hidden, d_weight, d_bias, None, None


def _from_logits(logits: Tensor, total: Tensor, targets: Tensor) -> Tensor:
    """The loss's slope at the logits, softmax minus one at the target; overwrites them."""
    slope = logits.sub_(total[:, None]).exp_()
    slope[torch.arange(len(targets), device=targets.device), targets] -= 1
    return slope
