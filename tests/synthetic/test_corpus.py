"""The corpus on disk: whole, playable, in the layouts that the readers read, the same for a seed."""

import csv
import hashlib
import json

import av
import pytest

from data_modules.datasets import load_samples
from data_modules.synthetic.corpus import SHARES, CorpusError, corpus_sizes, write_corpus
from data_modules.synthetic.layouts import World, write_layouts

WRITTEN = (
    *("CREMA-D", "M3ED", "CAER", "FERV39k", "MIntRec", "MIntRec2.0", "MER-Caption+", "MERR-Fine", "AvaMERG", "MER2023"),
    *("CMU-MOSI", "OV-MERD", "EMER"),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "synthetic"
    report = write_corpus(root, seed=7, clips=60, workers=2, progress=False)
    assert report.written
    return report


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_data_set_is_read_by_its_reader(corpus):
    for name in WRITTEN:
        samples = load_samples(name, corpus.root, "all")
        assert samples, name
        for sample in samples:
            for path in (sample.media.video, sample.media.audio):
                assert path is None or path.stat().st_size > 1000, f"{name}/{sample.id}: {path}"


@pytest.mark.parametrize(("pattern", "streams"), [("**/*.mp4", {"video"}), ("**/*.avi", {"video"}), ("**/*.wav", {"audio"})])
def test_media_play(corpus, pattern, streams):
    for path in sorted(corpus.root.glob(pattern))[::7]:
        with av.open(str(path)) as container:
            assert streams <= {stream.type for stream in container.streams}
            if "video" in streams:
                frames = list(container.decode(video=0))
                assert len(frames) == 24
                assert (frames[0].width, frames[0].height) == (128, 128)
            else:
                assert sum(frame.samples for frame in container.decode(audio=0)) == round(2.4 * 16_000)


def test_sound_is_in_the_video_where_the_readers_expect_it(corpus):
    for sample in load_samples("MIntRec", corpus.root, "test"):
        with av.open(str(sample.media.video)) as container:
            assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_it_says_that_it_is_synthetic(corpus):
    assert "synthetic" in (corpus.root / "README.txt").read_text()
    manifest = json.loads((corpus.root / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    assert manifest["seed"] == 7


def test_workers_do_not_change_a_byte(corpus, tmp_path):
    alone = write_corpus(tmp_path / "alone", seed=7, clips=60, workers=1, progress=False)
    assert digest(alone.root) == digest(corpus.root)


def test_training_and_evaluation_share_no_person(tmp_path):
    world = World(tmp_path, 0, corpus_sizes(200))
    write_layouts(world)
    split_of = {person.seed: split for split, people in world.people.items() for person in people}
    assert len(split_of) == sum(len(people) for people in world.people.values())
    table = csv.DictReader((tmp_path / "MER2025/track2_train_ovmerd.csv").open())
    ovmerd = {row["name"] for row in table}
    valid = {dialogue["conversation_id"] for dialogue in json.loads((tmp_path / "AvaMERG/valid.json").read_text())}
    checked = 0
    for recording in world.recordings:
        path = (recording.video or recording.audio).relative_to(tmp_path)
        split = split_of[recording.latent.person.seed]
        match path.parts[:2]:
            case ("CAER", folder):
                assert split == folder
            case ("MER2025", _):
                assert split == ("test" if path.stem in ovmerd else "train")
            case ("MER2023", folder):
                assert split == {"train": "test", "test3": "train"}[folder]  # EMER is scored, MERR is trained on
            case ("AvaMERG", _):
                assert split == ("test" if path.stem[3:8] in valid else "train")
            case _:
                continue
        checked += 1
    assert checked > 50


def test_a_finished_corpus_is_left_alone_and_another_is_not_overwritten(corpus, tmp_path):
    again = write_corpus(corpus.root, seed=7, clips=60, progress=False)
    assert not again.written
    assert again.sizes == corpus.sizes
    with pytest.raises(CorpusError, match="seed is 7, asked for 8"):
        write_corpus(corpus.root, seed=8, clips=60, progress=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not lose")
    with pytest.raises(CorpusError, match="no synthetic corpus"):
        write_corpus(tmp_path / "mine", clips=60, progress=False)


def test_sizes_follow_the_shares():
    sizes = corpus_sizes(sum(SHARES.values()))
    assert sizes == SHARES
    assert min(corpus_sizes(10).values()) == 2
