"""Speed and memory, side by side: the released code's work against ours, in one process, on the same samples and weights.

- Nothing imports this package, and no test asserts a time: `make bench` measures, `tests/bench` checks the machinery.
- Both paths take turns, round by round, so that a busy machine slows both; what is reported are ratios of medians.
- `reference.py` does what the released code does, from its description (shared facts, docs/performance.md), with correct
  numbers and no artificial slowness: its loss equals ours, which every run checks before it measures.
"""
