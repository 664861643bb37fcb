"""Renders a clip and writes it as a real media file: mp4 (H.264, AAC), avi (MPEG-4, MP3) or wav (16-bit).

A file is a pure function of its `Recording`, whichever process writes it.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio import AudioStream
from av.container import OutputContainer
from av.video import VideoStream

from data_modules.synthetic.faces import Frames, render_clip
from data_modules.synthetic.latents import Array, Latent
from data_modules.synthetic.voices import RATE, voice_clip

FPS = 10
SECONDS = 2.4
SIZE = 128  # pixels
CODECS = {".mp4": ("libx264", "aac"), ".avi": ("mpeg4", "libmp3lame"), ".flv": ("flv", "aac")}
VIDEO_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "18", "threads": "1"},
    "mpeg4": {"qmin": "2", "qmax": "4", "threads": "1"},
    "flv": {"qmin": "2", "qmax": "4", "threads": "1"},
}


@dataclass(frozen=True, slots=True)
class Recording:
    """One clip and the files that it goes to; `sound` says whether the video has a sound track."""

    latent: Latent
    video: Path | None = None
    audio: Path | None = None
    sound: bool = True


def record(recording: Recording) -> int:
    """Renders and writes one clip; returns the number of bytes written."""
    needs_voice = recording.audio is not None or recording.sound
    voice = voice_clip(recording.latent, SECONDS) if needs_voice else None
    size = 0
    if recording.video is not None:
        frames = render_clip(recording.latent, round(FPS * SECONDS), SIZE, fps=FPS)
        write_video(recording.video, frames, voice if recording.sound else None)
        size += recording.video.stat().st_size
    if recording.audio is not None and voice is not None:
        write_wav(recording.audio, voice)
        size += recording.audio.stat().st_size
    return size


def write_wav(path: Path, waveform: Array) -> None:
    """Writes (samples,) in [-1, 1] as 16 kHz mono 16-bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(_sixteen_bit(waveform).tobytes())


def write_sound_track(path: Path, waveform: Array) -> None:
    """Writes (samples,) in [-1, 1] as 16 kHz mono mp3."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        _mux_sound(container, sound, waveform)


def write_video(path: Path, frames: Frames, waveform: Array | None, fps: int = FPS) -> None:
    """Writes (frames, height, width, 3) RGB and, if given, a sound track.

    Raises:
        ValueError: the container is none of mp4, avi, flv.
    """
    if path.suffix not in CODECS:
        raise ValueError(f"{path}: cannot write {path.suffix!r}; expected one of {sorted(CODECS)}")
    picture_codec, sound_codec = CODECS[path.suffix]
    with av.open(str(path), "w") as container:
        picture = cast(VideoStream, container.add_stream(picture_codec, rate=fps, options=VIDEO_OPTIONS[picture_codec]))
        picture.height, picture.width = frames.shape[1:3]
        picture.pix_fmt = "yuv420p"
        sound = None
        if waveform is not None:
            sound = cast(AudioStream, container.add_stream(sound_codec, rate=RATE, layout="mono"))
            sound.bit_rate = 64_000
        for frame in frames:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(picture.encode(None))
        if sound is not None and waveform is not None:
            _mux_sound(container, sound, waveform)


def _mux_sound(container: OutputContainer, stream: AudioStream, waveform: Array) -> None:
    block = av.AudioFrame.from_ndarray(_sixteen_bit(waveform)[None], format="s16", layout="mono")
    block.sample_rate, block.pts, block.time_base = RATE, 0, Fraction(1, RATE)
    container.mux(stream.encode(block))
    container.mux(stream.encode(None))


def _sixteen_bit(waveform: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.round(np.clip(waveform, -1, 1) * 32767).astype("<i2")
