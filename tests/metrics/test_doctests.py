"""The examples in the docstrings run, and the metrics import neither the model nor its libraries."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

import nano_emox.metrics

MODULES = [module.name for module in pkgutil.iter_modules(nano_emox.metrics.__path__, "nano_emox.metrics.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_only_light_imports() -> None:
    """Nothing here imports the model, or a library that only the model or the tests need."""
    allowed = {*sys.stdlib_module_names, "numpy", "torch", "torchmetrics", "openpyxl"}
    for path in sorted(Path(nano_emox.metrics.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in allowed or name.startswith("nano_emox.metrics"), (path.name, name)
