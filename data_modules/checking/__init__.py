"""Looking over a data set before anything is trained on it: its annotation, its files, and what does not fit the release."""
