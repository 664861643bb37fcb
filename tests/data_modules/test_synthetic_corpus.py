"""The synthetic corpus has the real layouts: every data set of it is read by the readers of the real download."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_modules.datasets import DATASETS, load_samples
from data_modules.inputs import MediaInputs
from data_modules.record import Task

SPLIT_SIZES = ("MIntRec", "MIntRec2.0", "MER2023", "CMU-MOSI")  # sizes are reported by split
MEDIA = {
    "CREMA-D": ("CREMA-D/AudioWAV", "*.wav", ["clips"]),
    "M3ED": ("M3ED/modality_speech", "*.wav", ["clips"]),
    "CAER": ("CAER", "*/*/*.avi", ["frames"]),
    "FERV39k": ("FERV39k/0_7_LabelClips", "*/*/*.mp4", ["frames"]),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    from data_modules.synthetic.corpus import write_corpus

    root = tmp_path_factory.mktemp("corpus") / "data"
    return root, write_corpus(root, seed=1, clips=24, workers=1, progress=False).sizes


@pytest.mark.slow
def test_every_data_set_of_the_corpus_is_read_in_full(corpus: tuple[Path, dict[str, int]]):
    root, sizes = corpus
    inputs = MediaInputs(frames=8, size=32, clips=4, seconds=1.0)
    present = [name for name, card in DATASETS.items() if card.layout_in(root)]
    assert {task for name in present for task in DATASETS[name].tasks} == set(Task)
    for name in present:
        samples = load_samples(name, root, "all")
        parts = {split: load_samples(name, root, split) for split in DATASETS[name].splits}
        if name in MEDIA:
            folder, pattern, media = MEDIA[name]
            assert len(samples) == len(list((root / folder).glob(pattern)))
        else:
            media = ["clips", "frames"]
            if name in SPLIT_SIZES:
                assert {split: len(part) for split, part in parts.items() if part} == {
                    split: sizes[f"{name}/{split}"] for split in parts if f"{name}/{split}" in sizes
                }
            else:
                key = {"MERR-Fine": "MERR", "AvaMERG": "AvaMERG/train"}.get(name, name)
                assert len(parts[DATASETS[name].splits[0]]) == sizes[key]
        for sample in samples[:6]:
            assert sorted(inputs(sample)) == media, f"{name}/{sample.id}"
