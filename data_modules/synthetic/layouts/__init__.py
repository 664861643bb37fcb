"""Writes synthetic clips in the layouts of the real data sets, one module per family of annotations."""

from data_modules.synthetic.layouts.world import World, write_layouts

__all__ = ["World", "write_layouts"]
