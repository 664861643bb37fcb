"""The recipes: configuration in, a run out. Imports everything; nothing imports it."""
