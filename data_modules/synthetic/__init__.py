"""A world made from a seed: people, faces, voices and words, written as clips in the layouts of the real data sets."""
