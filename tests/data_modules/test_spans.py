"""A clip inside a longer file, and a person inside a picture: `Media.span` and `Media.crop`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from data_modules.features import content_key
from data_modules.inputs import MediaInputs
from data_modules.media import MediaError, Reason, read_audio, read_frames
from data_modules.record import Media, Sample, Task

Write = Callable[..., Path]
RATE = 16_000
FILES = {
    "mp4": ("libx264", "aac"),
    "avi": ("mpeg4", "pcm_s16le"),  # IEMOCAP's dialogues
    "B frames.avi": ("libx264", "pcm_s16le"),
    "mov": ("mpeg4", "pcm_s16le"),
    "webm": ("libvpx", "libopus"),
}


def sweep(seconds: float, rate: int = RATE) -> np.ndarray:
    """Sound that is nowhere like itself."""
    return (0.3 * np.sin(np.cumsum(np.linspace(0.05, 0.6, round(seconds * rate))))).astype(np.float32)


def shown(frames: torch.Tensor) -> list[int]:
    return [round(level / 10) for level in frames.float().mean((1, 2, 3)).tolist()]


@pytest.fixture(scope="module", params=FILES)
def dialogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make_clip: Write) -> tuple[Path, int]:
    """2.4 s of 10 frames per second; every sixth frame is a key frame."""
    rate = 48_000 if request.param == "webm" else RATE
    path = tmp_path_factory.mktemp("dialogue") / f"all.{request.param}"
    return make_clip(path, frames=24, fps=10, gop=6, sound=sweep(2.4, rate), rate=rate, codecs=FILES[request.param]), rate


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0.0, 2.4), [0, 6, 12, 18]),
        ((1.0, 1.8), [10, 12, 14, 16]),
        ((1.25, 1.8), [13, 14, 15, 16]),  # frames that begin in the span
        ((1.33, 1.36), [13, 13, 13, 13]),  # none does: the one on screen
        ((1.9, 2.4), [19, 20, 21, 22]),
        ((2.2, 2.6), [22, 23, 23, 23]),  # annotated a little past the end
    ],
)
def test_a_span_is_the_frames_of_its_time(dialogue: tuple[Path, int], span: tuple[float, float], expected: list[int]):
    assert shown(read_frames(dialogue[0], 4, 32, span=span)) == expected


@pytest.mark.parametrize("span", [(0.0, 0.5), (0.2, 0.9), (1.0, 1.8), (1.9, 2.4)])
def test_a_span_of_the_videos_own_sound_is_a_part_of_the_whole(dialogue: tuple[Path, int], span: tuple[float, float]):
    path, rate = dialogue
    whole, part = read_audio(path, rate), read_audio(path, rate, span=span)
    assert part.shape[0] == round((span[1] - span[0]) * rate)
    tick = 48 if path.suffix == ".webm" else 0  # Matroska's time stamps are milliseconds
    start = round(span[0] * rate)
    shifts = [whole[max(start + shift, 0) :][: part.shape[0] - 100] for shift in range(-tick, tick + 1)]
    assert min(float((piece - part[: piece.shape[0]]).abs().max()) for piece in shifts) < 1e-4


def test_a_span_that_the_file_does_not_have_is_an_error(dialogue: tuple[Path, int]):
    for span in ((2.6, 3.0), (2.0, 3.5)):
        for read in (lambda s=span: read_frames(dialogue[0], 4, 32, span=s), lambda s=span: read_audio(dialogue[0], span=s)):
            with pytest.raises(MediaError, match="span") as caught:
                read()
            assert caught.value.reason is Reason.TRUNCATED


def test_only_the_span_is_decoded(tmp_path: Path, make_clip: Write):
    """Damage after the span's end and before its key frame is not met."""
    path = make_clip(tmp_path / "long.mp4", frames=300, fps=10, gop=10, sound=sweep(30.0), size=(160, 120))
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size, float(p.pts * p.time_base)) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size, time in packets:
        if not 9.5 < time < 21:
            data[position : position + size] = bytes(size)
    path.write_bytes(data)
    assert shown(read_frames(path, 2, 32, span=(12.0, 20.0))) == [120 % 25, 160 % 25]
    assert read_audio(path, span=(12.0, 20.0)).shape == (8 * RATE,)


def test_a_file_of_many_clips_may_be_longer_than_a_clip(tmp_path: Path, make_clip: Write):
    path = make_clip(tmp_path / "episode.mp4", frames=1300, fps=2, gop=20)  # 650 s
    with pytest.raises(MediaError, match="too_long"):
        read_frames(path, 2, 32)
    assert shown(read_frames(path, 2, 32, span=(601.0, 605.0))) == [1202 % 25, 1206 % 25]


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """Left half black, right half white; the upper quarter of both grey."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = 255
    picture[:12] = 128
    with av.open(str(tmp_path / "two people.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return tmp_path / "two people.mp4"


def test_a_crop_is_a_part_of_the_picture(halves: Path, tmp_path: Path):
    def level(*crop: float) -> float:
        return read_frames(halves, 2, 16, crop=crop).float().mean().item()  # type: ignore[arg-type]

    assert level(0.0, 0.5, 0.45, 1.0) < 5
    assert level(0.55, 0.5, 1.0, 1.0) > 250
    assert level(0.0, 0.0, 1.0, 0.2) == pytest.approx(128, abs=5)
    assert level(0.0, 0.0, 1.0, 1.0) == pytest.approx(read_frames(halves, 2, 16).float().mean().item(), abs=2)
    with av.open(str(halves)) as container:
        next(container.decode(video=0)).to_image().save(tmp_path / "1.png")
    (tmp_path / "frames").mkdir()
    (tmp_path / "1.png").rename(tmp_path / "frames/1.png")
    assert read_frames(tmp_path / "frames", 1, 16, crop=(0.55, 0.5, 1.0, 1.0)).float().mean() > 250


def test_inputs_and_addresses_follow_span_and_crop(halves: Path, make_clip: Write, tmp_path: Path):
    inputs = MediaInputs(frames=2, size=16, clips=1, seconds=0.1)
    dialogue = make_clip(tmp_path / "dialogue.mp4", frames=24, fps=10, sound=sweep(2.4))

    def read(**part: tuple[float, ...]) -> dict[str, torch.Tensor]:
        media = Media(dialogue, **part)  # type: ignore[arg-type]
        return inputs(Sample("u", "toy", "train", (Task.ERI,), media, description="x"))

    assert shown(read(span=(1.0, 2.0))["frames"]) == [10, 15]
    assert torch.equal(read(span=(1.0, 1.1))["clips"][0], read_audio(dialogue, span=(1.0, 1.1)))
    parts = [{}, {"span": (0.0, 1.0)}, {"span": (1.0, 2.0)}, {"crop": (0.0, 0.0, 0.5, 1.0)}, {"span": (0.0, 1.0), "crop": (0.0, 0.0, 0.5, 1.0)}]  # fmt: skip
    assert len({content_key(Media(dialogue, **part)) for part in parts}) == 5
    assert content_key(Media(dialogue, span=(0, 1))) == content_key(Media(dialogue, span=(0.0, 1.0)))


@pytest.mark.parametrize(
    "part", [{"span": (1.0, 1.0)}, {"span": (-1.0, 1.0)}, {"crop": (0.5, 0.0, 0.5, 1.0)}, {"crop": (0, 0, 1, 2)}]
)
def test_an_impossible_part_is_refused(part: dict):
    with pytest.raises(ValueError, match=r"d\.avi: a (span|crop) is"):
        Media(Path("d.avi"), **part)
