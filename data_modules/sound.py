"""Sound of a clip: 16 kHz mono, of a sound file or of a video's own track."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import torch
from torch import Tensor

from data_modules.containers import MAX_SECONDS, MediaError, Reason, covers, declared_seconds, opened, sought

Resampler = Literal["torchaudio", "ffmpeg"]
_PREROLL = 0.5  # seconds that are decoded before a span: codecs need what came before to decode the next block
_MAX_TAPS = 2**22  # of torchaudio's filters: 16 MB; a rate of 16,001 Hz would take 1 GB


def read_audio(
    path: Path | str, rate: int = 16_000, *, span: tuple[float, float] | None = None, resampler: Resampler = "torchaudio"
) -> Tensor:
    """The first audio track, mono by the mean of its channels, resampled to `rate`.

    Args:
        span: (start, end) in seconds from the beginning of the file; the rest is not decoded, where the container has an
            index. Exact to one tick of the container (a sample in most, a millisecond in Matroska).
        resampler: `torchaudio`, as the released code; or `ffmpeg`, which needs no further library and is closer to an ideal
            filter. On sound with the spectrum of speech they differ by 0.3 % (rms), near 8 kHz by up to 8 %, so features of
            one are not those of the other.

    Returns:
        (samples,) float32.

    Raises:
        MediaError: unreadable or over a limit; `no_audio` where there is no track or it holds no samples.
        ImportError: the sound must be resampled, and torchaudio is not installed.
    """
    path = Path(path)
    if span is None:
        waveform, native = _whole(path)
    else:
        waveform, native = _span(path, span)
    if native == rate:
        return waveform
    if resampler == "ffmpeg":
        return _resample(waveform, native, rate)
    common = gcd(native, rate)
    if (native // common) * (rate // common) > _MAX_TAPS:
        hint = f"{native:,} samples a second is no usual rate; damaged, or resample it (ffmpeg -ar {rate})"
        raise MediaError(path, Reason.UNREADABLE, hint)
    try:
        from torchaudio.functional import resample  # late: slow to import, and many clips are at 16 kHz already
    except ImportError as error:
        raise ImportError(
            f"{path}: sound of {native:,} Hz is brought to {rate:,} Hz with torchaudio, which is not installed:"
            " `pip install torchaudio`, or choose resampler='ffmpeg'"
        ) from error
    return resample(waveform, native, rate)


def cut_clips(
    waveform: Tensor, count: int, seconds: float, *, rate: int = 16_000, spread: Literal["end", "released"] = "end"
) -> Tensor:
    """Cut `count` clips of `seconds` each, spread uniformly over a recording.

    Args:
        waveform: (samples,) float32.
        spread: `end` puts the last clip at the end of the recording. `released` starts clip `i` at
            `floor(rate * i * (duration - seconds) / count)`, so the end is never heard, as in the released code.

    Returns:
        (count, rate * seconds) float32; a recording shorter than `seconds` is zero-padded and its clips are equal.
    """
    length = round(rate * seconds)
    spare = max(waveform.shape[0] - length, 0)
    if waveform.shape[0] < length:
        waveform = torch.nn.functional.pad(waveform, (0, length - waveform.shape[0]))
    if spread == "released":
        rest = Fraction(max((spare + length) / rate - seconds, 0.0)) if spare else Fraction(0)
        starts = [int(rate * i * rest / count) for i in range(count)]
    else:
        starts = [i * spare // max(count - 1, 1) for i in range(count)]
    return torch.stack([waveform[start : start + length] for start in starts])


def _track(path: Path, container: Any) -> Any:
    if not container.streams.audio:
        raise MediaError(path, Reason.NO_AUDIO, "the file has no audio stream")
    return container.streams.audio[0]


class _Mono:
    """Frames as (samples,) float32: the mean of the channels."""

    def __init__(self) -> None:
        self.to_float = av.AudioResampler(format="fltp")
        self.parts: list[np.ndarray[Any, Any]] = []
        self.total, self.rate = 0, 0

    def add(self, frame: Any) -> None:
        for piece in self.to_float.resample(frame):
            self.parts.append(piece.to_ndarray().mean(axis=0, dtype=np.float32))
            self.total, self.rate = self.total + self.parts[-1].size, piece.sample_rate

    def waveform(self) -> Tensor:
        return torch.from_numpy(np.concatenate(self.parts))


def _whole(path: Path) -> tuple[Tensor, int]:
    with opened(path) as container:
        stream = _track(path, container)
        declared = declared_seconds(stream)
        mono = _Mono()
        for frame in container.decode(stream):
            mono.add(frame)
            if mono.total > MAX_SECONDS * mono.rate:
                raise MediaError(path, Reason.TOO_LONG, f"more than {MAX_SECONDS:.0f} s of sound; cut the clip")
    if not mono.total:
        raise MediaError(path, Reason.NO_AUDIO, "the audio track holds no samples")
    waveform = mono.waveform()
    if declared is not None:
        expected = round(declared * mono.rate)
        if mono.total < 0.9 * expected - 0.25 * mono.rate:
            problem = f"{mono.total / mono.rate:.2f} s of sound where the header says {declared:.2f} s"
            raise MediaError(path, Reason.TRUNCATED, problem)
        if expected < mono.total <= expected + 4096:  # codecs work in blocks: AAC pads the last one
            waveform = waveform[:expected]
    return waveform, mono.rate


def _span(path: Path, span: tuple[float, float]) -> tuple[Tensor, int]:
    if span[1] - span[0] > MAX_SECONDS:
        raise MediaError(path, Reason.TOO_LONG, f"a span of {span[1] - span[0]:.0f} s; at most {MAX_SECONDS:.0f} s")
    for seek in (True, False):  # the second round: a file without an index, from its beginning
        with opened(path, of_many=True) as container:
            stream = _track(path, container)
            zero = Fraction(container.start_time or 0, av.time_base)
            early = Fraction(span[0]) - Fraction(_PREROLL)
            if seek and early > 0 and not sought(container, stream, int((zero + early) / stream.time_base)):
                continue
            first: Fraction | None = None  # second of the first sample
            mono = _Mono()
            for frame in container.decode(stream):
                if first is None:
                    first = frame.pts * frame.time_base - zero if frame.pts is not None else Fraction(0)
                    if seek and (frame.pts is None or first > span[0] > 0):
                        break
                mono.add(frame)
                if first + Fraction(mono.total, mono.rate or 1) > span[1]:
                    break
                if not seek and first + Fraction(mono.total, mono.rate or 1) < span[0] - 2 * _PREROLL:
                    first += Fraction(mono.total, mono.rate or 1)
                    mono.parts, mono.total = [], 0
        if seek and not mono.total:
            continue
        start, stop = (max(round((Fraction(second) - (first or 0)) * (mono.rate or 1)), 0) for second in span)
        waveform = mono.waveform()[start:stop] if mono.total else torch.empty(0)
        if not covers(waveform.numel() / max(mono.rate, 1), span):
            problem = f"{waveform.numel() / max(mono.rate, 1):.2f} s of sound in the span {span[0]:.2f}-{span[1]:.2f} s"
            raise MediaError(path, Reason.TRUNCATED if mono.total else Reason.NO_AUDIO, problem)
        return waveform, mono.rate
    raise AssertionError("the second round returns or raises")


def _resample(waveform: Tensor, native: int, rate: int) -> Tensor:
    """By libswresample, as long as `torchaudio` makes it: ceil(samples * rate / native)."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    frame = av.AudioFrame.from_ndarray(waveform.numpy()[None], format="fltp", layout="mono")
    frame.sample_rate = native
    pieces = [piece.to_ndarray()[0] for piece in (*resampler.resample(frame), *resampler.resample(None))]
    made = torch.from_numpy(np.concatenate(pieces))[: -(-waveform.shape[0] * rate // native)]
    return torch.nn.functional.pad(made, (0, -(-waveform.shape[0] * rate // native) - made.shape[0]))
