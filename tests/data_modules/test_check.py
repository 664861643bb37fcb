"""The check of a data set: every reason is counted under its own name, and no interruption or worker count changes the result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from data_modules.checking.dataset import check_dataset
from data_modules.checking.files import FileJob, check_file, job_of
from data_modules.checking.histogram import bin_width, histogram
from data_modules.checking.ledger import Ledger
from data_modules.checking.workers import check_in_processes
from data_modules.datasets import load_samples
from data_modules.fixtures.catalogue import FIXTURES, write_fixture
from data_modules.fixtures.fixture import Folder, tone
from data_modules.inputs import MediaInputs
from data_modules.listing import look_for
from data_modules.media import MediaError

MELD = "MER-UniBench/meld-process"


def write_wav(path: Path, samples: np.ndarray, width: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture(scope="module")
def meld(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MELD, processed: good clips, and one of everything that goes wrong."""
    root = tmp_path_factory.mktemp("data")
    here = Folder(root) / MELD
    clips = {
        "good": 0, "long": 1, "copy": 2, "missing": 3, "empty": 3, "pointer": 3, "playlist": 3, "half": 3, "sound_only": 3,
        "mute": 3, "silent": 3, "class_nine": 9, "no_row": 0,
    }  # fmt: skip
    label = {name: {"emo": emo, "val": -10} for name, emo in clips.items()}
    here.npz("label.npz", train_corpus={"train_twin": {"emo": 3, "val": -10}}, val_corpus={}, test_corpus=label)
    rows = "".join(f"{name},,Hi\n" for name in [*clips, "train_twin"] if name != "no_row")
    here.text("transcription-engchi-polish.csv", f"name,chinese,english\n{rows}")
    videos = here / "subvideo"
    good = videos.video("good.mp4")
    videos.video("long.mp4", seconds=9)
    for twin in ("copy.mp4", "train_twin.mp4"):
        (good.parent / twin).write_bytes(good.read_bytes())
    videos.empty("empty.mp4")
    videos.lfs_pointer("pointer.mp4")
    videos.text("playlist.mp4", "#EXTM3U\n/etc/passwd\n")
    videos.silent_track_only("sound_only.mp4")
    videos.video("mute.mp4", sound=False)
    videos.video("silent.mp4", frames=17)
    write_wav(root / MELD / "subaudio/silent.wav", np.zeros(8000, np.int16))
    whole = videos.video("half.avi").read_bytes()
    (good.parent / "half.avi").write_bytes(whole[: len(whole) * 6 // 10])
    for name in ("class_nine", "no_row"):
        videos.video(f"{name}.mp4", frames=9)
    return root


@pytest.fixture(scope="module")
def checked(meld: Path):
    return check_dataset("MELD", meld)


def split_of(check, name):
    return next(split for split in check.splits if split.name == name)


def test_every_entry_is_usable_or_counted_under_its_reason(checked):
    test = split_of(checked, "test")
    assert test.listed == 13
    assert {finding.where.split("/")[-1]: finding.reason for finding in test.faults} == {
        "class_nine": "unknown_label", "no_row": "no_subtitle",
    }  # fmt: skip
    assert {finding.where: finding.reason for finding in test.broken} == {
        "missing": "missing", "empty": "empty", "pointer": "lfs_pointer", "playlist": "forbidden_container", "half": "truncated",
    }  # fmt: skip
    assert test.usable == 13 - 2 - 5


def test_a_modality_that_a_clip_does_not_have_is_noted_and_the_clip_stays_usable(checked):
    test = split_of(checked, "test")
    assert [finding.where for finding in test.without_video] == ["sound_only"]
    assert [finding.where for finding in test.without_audio] == ["mute"]
    assert test.silent == ["silent"]


def test_counts_are_compared_with_the_published_ones(checked, meld):
    assert split_of(checked, "test").published == 2610
    assert "test lists 13 samples; 2,610 were published" in checked.wrong
    (meld / "manifest.json").write_text("{}")
    try:
        synthetic = check_dataset("MELD", meld)
    finally:
        (meld / "manifest.json").unlink()
    assert synthetic.synthetic
    assert not [sentence for sentence in synthetic.wrong if "published" in sentence]


def test_one_content_under_two_ids_is_found_and_is_a_leak_between_train_and_test(checked):
    assert [(one.kind, set(one.clips), one.leak) for one in checked.duplicates] == [
        ("content", {"train/train_twin", "test/good", "test/copy"}, True)
    ]
    (sentence,) = [sentence for sentence in checked.wrong if "another split" in sentence]
    assert sentence == "one clip is both in train and in another split, e.g. train/train_twin is test/good"


def test_one_file_or_one_span_of_it_named_in_train_and_in_test_is_a_leak(tmp_path):
    Folder(tmp_path).video("a.mp4")
    rows = [
        {"id": "whole", "video": "a.mp4"},
        {"id": "whole again", "video": "a.mp4", "split": "test"},
        {"id": "part", "video": "a.mp4", "start": 0, "end": 1},
        {"id": "part again", "video": "a.mp4", "start": 0, "end": 1, "split": "test"},
        {"id": "other part", "video": "a.mp4", "start": 1, "end": 2, "split": "test"},
        {"id": "nothing", "video": "missing.mp4"},
        {"id": "nothing again", "video": "missing.mp4", "split": "test"},
    ]
    Folder(tmp_path).text("list.jsonl", "\n".join(json.dumps({**row, "label": "calm"}) for row in rows))
    check = check_dataset("generic:list.jsonl", tmp_path)
    assert [(one.kind, one.clips, one.leak) for one in check.duplicates] == [
        ("content", ("train/whole", "test/whole again"), True),
        ("content", ("train/part", "test/part again"), True),
    ]
    assert "2 clips are both in train and in another split, e.g. train/whole is test/whole again" in check.wrong


def test_a_span_that_ends_beyond_its_file_is_truncated_for_the_check_and_for_who_reads_it(tmp_path):
    Folder(tmp_path).video("a.mp4")  # 2.00 s of picture, 2.06 s of sound
    Folder(tmp_path).images("frames")
    spans = {"whole": (1, 2), "a little late": (1, 2.3), "picture too short": (1, 2.42), "beyond": (1, 4), "behind": (2.5, 3)}
    rows = [{"id": name, "video": "a.mp4", "start": start, "end": end} for name, (start, end) in spans.items()]
    rows.append({"id": "images", "video": "frames", "start": 0, "end": 1})
    Folder(tmp_path).text("list.jsonl", "\n".join(json.dumps({**row, "label": "calm"}) for row in rows))
    samples = load_samples("generic:list.jsonl", tmp_path, "train")
    broken = {}
    for sample in samples:
        try:
            MediaInputs(frames=2, size=32, resampler="ffmpeg")(sample)
        except MediaError as error:
            broken[sample.id] = error.reason.value
    late = dict.fromkeys(("picture too short", "beyond", "behind"), "truncated")
    assert broken == {**late, "images": "unreadable"}
    checked = split_of(check_dataset("generic:list.jsonl", tmp_path), "train")
    assert {one.where: one.reason for one in checked.broken} == broken


def test_balance_and_durations_are_of_what_is_there(checked):
    test = split_of(checked, "test")
    assert test.balance_of == "label"
    assert test.balance["neutral"] == 8  # class 3
    assert test.balance["fear"] == 0  # a class without samples is shown, not left out
    assert test.durations.longest == pytest.approx(9, abs=0.1)
    assert sum(test.durations.counts) == test.usable


def test_a_broken_annotation_file_is_a_sentence_and_the_other_splits_are_still_checked(tmp_path):
    Folder(tmp_path / "MIntRec").text("train.tsv", "season\tepisode\tclip\ttext\tlabel\nS05\tE16\t1\thello\tGreet\n")
    Folder(tmp_path / "MIntRec/raw_data/S05/E16").video("1.mp4")
    check = check_dataset("MIntRec", tmp_path)
    assert split_of(check, "train").usable == 1
    assert "dev.tsv" in split_of(check, "validation").unread
    assert any("validation cannot be read" in sentence for sentence in check.wrong)


def test_an_entry_that_every_split_would_report_is_counted_once(tmp_path):
    clips = tmp_path / "CREMA-D/AudioWAV"
    for index, name in enumerate(("1001_DFA_ANG_XX", "1008_DFA_ANG_XX", "1010_DFA_SAD_XX", "notes")):
        write_wav(clips / f"{name}.wav", (tone(0.5 + index / 10) * 32767).astype(np.int16))
    check = check_dataset("CREMA-D", tmp_path)
    assert [(split.listed, split.usable) for split in check.splits] == [(2, 1), (1, 1), (1, 1)]
    assert sum(len(split.faults) for split in check.splits) == 1


def test_the_result_is_the_same_for_any_number_of_workers(meld, checked):
    assert check_dataset("MELD", meld, workers=1).as_json() == checked.as_json()
    assert check_dataset("MELD", meld, workers=2).as_json() == checked.as_json()


def test_decoding_to_the_end_finds_damage_that_packets_do_not_show(tmp_path):
    path = Folder(tmp_path).video("damaged.avi", frames=40)
    content = bytearray(path.read_bytes())
    start = content.find(b"00dc", len(content) // 3) + 8
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    light, full = check_file(job_of(path)), check_file(job_of(path, decode=True))
    assert "video" not in light.problems
    assert full.problems.get("video", ("",))[0] in ("unreadable", "")  # ffmpeg conceals some damage
    assert full.seconds == light.seconds


@pytest.mark.parametrize(("width", "zero"), [(1, np.full(8000, 128, np.uint8)), (2, np.zeros(8000, np.int16))])
def test_silence_is_recognised_in_every_sample_format(tmp_path, width, zero):
    assert check_file(job_of(write_wav(tmp_path / "silent.wav", zero, width))).silent
    loud = zero.copy()
    loud[-100:] += 100 if width == 1 else 12_000  # audible at its very end only
    assert not check_file(job_of(write_wav(tmp_path / "loud.wav", loud, width))).silent


def test_a_directory_of_images_is_a_video_without_sound(tmp_path):
    report = check_file(job_of(Folder(tmp_path).images("frames"), decode=True))
    assert set(report.problems) == {"audio"}
    assert (report.width, report.height) == (64, 48)


class Deadly(FileJob):
    """A job that takes down the process which it is sent to."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_file_that_kills_its_process_is_named_and_the_others_are_checked(tmp_path):
    paths = [write_wav(tmp_path / f"{i}.wav", (tone(0.1) * 32767).astype(np.int16)) for i in range(10)]
    jobs = [job_of(path) for path in paths]
    jobs.insert(4, Deadly(tmp_path / "deadly.mp4", 1, 1))
    found = {job.path.name: report for chunk in check_in_processes(jobs, 2) for job, report in chunk}
    assert len(found) == 11
    assert found["deadly.mp4"].problems["video"][0] == "unreadable"
    assert [name for name, report in found.items() if "audio" in report.problems] == ["deadly.mp4"]


def test_an_unchanged_file_is_not_looked_at_again_and_a_changed_one_is(tmp_path):
    path = write_wav(tmp_path / "clip.wav", (tone(0.5) * 32767).astype(np.int16))
    ledger = Ledger(tmp_path / "files.jsonl")
    ledger.add([(job_of(path), check_file(job_of(path)))])
    ledger.close()
    again = Ledger(tmp_path / "files.jsonl")
    assert again.find(job_of(path)) == check_file(job_of(path))
    assert again.find(job_of(path, decode=True)) is None  # a fuller check is another question
    write_wav(path, (tone(0.6) * 32767).astype(np.int16))
    assert again.find(job_of(path)) is None
    with (tmp_path / "files.jsonl").open("ab") as file:
        file.write(b'{"version": 1, "key": "torn')
    assert len(Ledger(tmp_path / "files.jsonl")) == 1


def test_a_killed_check_continues_and_ends_with_what_an_uninterrupted_one_finds(tmp_path):
    folder = tmp_path / "data/CAER/train/Anger"
    clip = Folder(folder).video("0000.avi").read_bytes()
    for i in range(1, 400):
        (folder / f"{i:04d}.avi").write_bytes(clip if i % 7 else clip[: len(clip) // 2])
    for split in ("validation", "test"):
        (tmp_path / "data/CAER" / split).mkdir()
    known = tmp_path / "files.jsonl"
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    from data_modules.checking.dataset import check_dataset\n    from data_modules.checking.ledger import Ledger\n"
        f"    check_dataset('CAER', Path({str(tmp_path / 'data')!r}), ledger=Ledger(Path({str(known)!r})), workers=1)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    limit = time.monotonic() + 120
    while not (known.exists() and known.stat().st_size) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = known.read_bytes().splitlines()
    assert 0 < len(before) < 400, "it was to be killed midway"
    ledger = Ledger(known)
    continued = check_dataset("CAER", tmp_path / "data", ledger=ledger, workers=1)
    ledger.close()
    lines = known.read_bytes().splitlines()
    assert lines[: len(before)] == before
    assert len(lines) == 400  # nothing was looked at twice
    assert continued.as_json() == check_dataset("CAER", tmp_path / "data").as_json()
    assert continued.wrong


def test_what_is_written_is_plain_json_with_a_schema_number(checked):
    plain = json.loads(json.dumps(checked.as_json()))
    assert plain["schema"] == 1
    assert {"dataset", "layout", "root", "decoded", "splits", "duplicates", "wrong", "clips"} <= set(plain)
    test = next(split for split in plain["splits"] if split["name"] == "test")
    assert test["broken_by_reason"] == {"empty": 1, "forbidden_container": 1, "lfs_pointer": 1, "missing": 1, "truncated": 1}
    assert test["usable"] + len(test["faults"]) + len(test["broken"]) == test["listed"]


def test_histograms_have_round_bins_and_lose_no_clip():
    seconds = [0.5 + i / 10 for i in range(30)] + [400.0]
    step = bin_width(seconds)
    found = histogram(seconds, step)
    assert sum(found.counts) == 31
    assert len(found.counts) <= 20
    assert histogram([], step).counts == ()


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_miniature_is_found_and_its_bad_items_come_out_under_their_reasons(fixture, tmp_path):
    write_fixture(fixture, tmp_path)
    assert fixture.layout in next(one for one in look_for(tmp_path) if one.name == fixture.dataset).found
    check = check_dataset(fixture.dataset, tmp_path, layout=fixture.layout)
    assert {one.where: one.reason for split in check.splits for one in split.broken} == {
        name: reason.value for name, reason in fixture.broken.items()
    }
    assert not any(split.unread for split in check.splits)
    assert asdict(check)["layout"] == fixture.layout
