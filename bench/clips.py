"""Real media files: H.264 pictures that move, and AAC sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from bench.presets import ClipSize

RATE = 16_000


def write_clips(directory: Path, count: int, size: ClipSize) -> list[Path]:
    """`count` mp4 files that differ from each other; those that are there already are kept."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{number:03d}.mp4" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.is_file():
            _write(path, size, np.random.default_rng(number))
    return paths


def _write(path: Path, size: ClipSize, draw: np.random.Generator) -> None:
    still = draw.integers(0, 255, (size.height // 8, size.width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    frames = round(size.seconds * size.rate)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=size.rate)
        video.height, video.width = still.shape[:2]
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for index in range(frames):
            picture = np.ascontiguousarray(np.roll(still, 4 * index, axis=1))
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(video.encode(None))
        time = np.arange(round(size.seconds * RATE)) / RATE
        tone = 0.3 * np.sin(2 * np.pi * draw.uniform(100, 400) * time) + 0.02 * draw.standard_normal(time.size)
        frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(audio.format, audio.layout, RATE, audio.codec_context.frame_size or 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(audio.encode(piece))
        container.mux(audio.encode(None))
