"""Nano-EmoX: the model, and what is computed with it."""
