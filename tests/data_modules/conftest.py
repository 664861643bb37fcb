"""Tiny real media files and the samples that point at them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

RATE = 16_000


def tone(seconds: float, rate: int = RATE, hertz: float = 220.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def _picture(index: int, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), (10 * index) % 250, dtype=np.uint8)  # the grey level tells which frame it is


def write_clip(
    path: Path,
    *,
    frames: int = 16,
    fps: int = 8,
    size: tuple[int, int] = (64, 48),
    sound: np.ndarray | None = None,
    rate: int = RATE,
    times: list[int] | None = None,
    gop: int = 12,
    codecs: tuple[str, str] = ("libx264", "aac"),
) -> Path:
    """A video whose frame k is grey level 10 k (mod 250), with an optional sound track of (channels, samples)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = audio = None
        if frames:
            video = container.add_stream(codecs[0], rate=fps)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            video.gop_size = gop
            if times is not None:
                video.codec_context.time_base = Fraction(1, 1000)
        if sound is not None:
            sound = np.atleast_2d(sound)
            audio = container.add_stream(codecs[1], rate=rate, layout="mono" if len(sound) == 1 else "stereo")
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(_picture(index, *size), format="rgb24")
            frame.pts = index if times is None else times[index]
            frame.time_base = Fraction(1, fps) if times is None else Fraction(1, 1000)
            container.mux(video.encode(frame))
        if video is not None:
            container.mux(video.encode(None))
        if audio is not None:
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=audio.layout.name)
            block.sample_rate, block.pts, block.time_base = rate, 0, Fraction(1, rate)
            resampler = av.AudioResampler(format=audio.format.name, frame_size=audio.frame_size or 0)
            for piece in [*resampler.resample(block), *resampler.resample(None)]:
                container.mux(audio.encode(piece))
            container.mux(audio.encode(None))
    return path


def write_wav(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    return write_clip(path, frames=0, sound=sound, rate=rate, codecs=("", "pcm_s16le"))


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mp4 of 2 s, 16 frames of 64 x 48, with sound."""
    return write_clip(tmp_path_factory.mktemp("media") / "clip.mp4", sound=tone(2.0))


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    return write_clip


@pytest.fixture(scope="session")
def make_wav() -> Callable[..., Path]:
    return write_wav
