"""Frames by time stamp and 16 kHz mono sound, decoded with PyAV; only what is needed is decoded.

Everything that can be wrong with a file comes out as a `MediaError` with a reason (see `containers.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import torch
from torch import Tensor

from data_modules.containers import ABSENT as ABSENT
from data_modules.containers import MAX_SECONDS, MediaError, Reason, declared_seconds, image_files, opened
from data_modules.containers import MediaInfo as MediaInfo
from data_modules.containers import probe as probe
from data_modules.containers import resolve_inside as resolve_inside

_SEEK_GAIN = 8  # frames that a seek must save to be worth a flush of the decoder


def read_frames(path: Path | str, count: int, size: int) -> Tensor:
    """`count` uniformly spaced frames: frame `floor(i * frames / count)`, as the released code takes them.

    Where the frame rate varies, it is the frame shown at `i * duration / count`. Fewer frames than `count`: the last
    index is repeated. The aspect ratio is not kept (as released).

    Returns:
        (count, 3, size, size) uint8 RGB.

    Raises:
        MediaError: unreadable or over a limit; `no_video` where there is no video stream.
    """
    path = Path(path)
    if path.is_dir():
        files = image_files(path)
        chosen = {index: _decode_image(files[index], size) for index in sorted(set(_grid(len(files), count)))}
        return torch.stack([chosen[index] for index in _grid(len(files), count)])
    with opened(path) as container:
        if not container.streams.video:
            raise MediaError(path, Reason.NO_VIDEO, "the file has no video stream")
        stream = container.streams.video[0]
        packets = [(p.pts, p.is_keyframe, p.duration or 0) for p in container.demux(stream) if p.size]
        if not packets:
            raise MediaError(path, Reason.NO_VIDEO, "the video stream has no frames")
        _check_length(path, stream, packets)
        if container.format.name == "avi" or any(pts is None for pts, _, _ in packets):  # AVI has no display times: count
            targets, times, keys = _grid(len(packets), count), list(range(len(packets))), []
        else:
            times = sorted(pts for pts, _, _ in packets)
            keys = sorted(pts for pts, key, _ in packets if key)
            targets = _shown_at(times, max(times) + (packets[-1][2] or _step(times)) - times[0], count)
    # A second handle: some demuxers cannot rewind after the scan.
    with opened(path) as container:
        found = _decode_at(container, path, times, sorted(set(targets)), keys, size)
    return torch.stack([found[index] for index in targets])


def read_audio(path: Path | str, rate: int = 16_000) -> Tensor:
    """The first audio track, mono by the mean of its channels, resampled to `rate`.

    Returns:
        (samples,) float32.

    Raises:
        MediaError: unreadable or over a limit; `no_audio` where there is no track or it holds no samples.
    """
    path = Path(path)
    with opened(path) as container:
        if not container.streams.audio:
            raise MediaError(path, Reason.NO_AUDIO, "the file has no audio stream")
        stream = container.streams.audio[0]
        stream.thread_count = 1
        declared = declared_seconds(stream)
        to_float = av.AudioResampler(format="fltp")
        parts: list[np.ndarray[Any, Any]] = []
        total, native = 0, stream.codec_context.sample_rate
        for frame in container.decode(stream):
            for piece in to_float.resample(frame):
                parts.append(piece.to_ndarray().mean(axis=0, dtype=np.float32))
                total, native = total + parts[-1].size, piece.sample_rate
            if total > MAX_SECONDS * native:
                raise MediaError(path, Reason.TOO_LONG, f"more than {MAX_SECONDS:.0f} s of sound; cut the clip")
    if not total:
        raise MediaError(path, Reason.NO_AUDIO, "the audio track holds no samples")
    waveform = torch.from_numpy(np.concatenate(parts))
    if declared is not None:
        expected = round(declared * native)
        if total < 0.9 * expected - 0.25 * native:
            raise MediaError(path, Reason.TRUNCATED, f"{total / native:.2f} s of sound where the header says {declared:.2f} s")
        if expected < total <= expected + 4096:  # codecs work in blocks: AAC pads the last one
            waveform = waveform[:expected]
    if native == rate:
        return waveform
    from torchaudio.functional import resample  # slow to import, and most clips are at 16 kHz already

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


def _check_length(path: Path, stream: Any, packets: list[tuple[int | None, bool, int]]) -> None:
    declared = declared_seconds(stream)
    times = [pts for pts, _, _ in packets if pts is not None]
    if not times:
        return
    length = float((max(times) - min(times) + packets[-1][2]) * stream.time_base)
    if length > MAX_SECONDS:
        raise MediaError(path, Reason.TOO_LONG, f"{length:.0f} s; at most {MAX_SECONDS:.0f} s")
    if declared is not None and length < 0.9 * declared - 0.25:
        raise MediaError(path, Reason.TRUNCATED, f"{length:.2f} s of video where the header says {declared:.2f} s")


def _grid(frames: int, count: int) -> list[int]:
    return [i * frames // count for i in range(count)] if frames >= count else [min(i, frames - 1) for i in range(count)]


def _step(times: list[int]) -> int:
    return round((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else 1


def _shown_at(times: list[int], duration: int, count: int) -> list[int]:
    """Indices of the frames to take, of sorted time stamps in ticks."""
    mean = Fraction(times[-1] - times[0], max(len(times) - 1, 1))
    if all(abs(time - times[0] - mean * i) <= 1 for i, time in enumerate(times)) or len(times) < count:
        return _grid(len(times), count)  # constant rate: exact, whatever the container's rounding
    return [bisect_right(times, times[0] + Fraction(i * duration, count)) - 1 for i in range(count)]


def _decode_at(
    container: Any, path: Path, times: list[int], wanted: list[int], keys: list[int], size: int
) -> dict[int, Tensor]:
    """Decode the frames with the indices `wanted` (ascending), jumping to key frames where that saves decoding."""
    stream = container.streams.video[0]
    scaler = av.video.reformatter.VideoReformatter()
    found: dict[int, Tensor] = {}
    position, decoder, last = -1, container.decode(stream), None
    for target in wanted:
        key = keys[bisect_right(keys, times[target]) - 1] if keys and keys[0] <= times[target] else None
        if key is not None and bisect_right(times, key) - 1 > position + _SEEK_GAIN:
            container.seek(key, stream=stream, backward=True)
            decoder = container.decode(stream)
        while position < target and (frame := next(decoder, None)) is not None:
            last = frame
            position = bisect_right(times, frame.pts) - 1 if keys and frame.pts is not None else position + 1
        if last is None:
            raise MediaError(path, Reason.UNREADABLE, "no frame of the video decodes")
        found[target] = _to_tensor(last, scaler, size)
    return found


def _decode_image(path: Path, size: int) -> Tensor:
    with opened(path, image=True) as container:
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise MediaError(path, Reason.UNREADABLE, "the image does not decode")
        return _to_tensor(frame, av.video.reformatter.VideoReformatter(), size)


def _to_tensor(frame: Any, scaler: Any, size: int) -> Tensor:
    picture = scaler.reformat(frame, size, size, "rgb24", interpolation="BICUBIC").to_ndarray()
    turned = np.rot90(picture, round(frame.rotation / 90) % 4)  # telephones store how they were held
    return torch.from_numpy(np.ascontiguousarray(turned.transpose(2, 0, 1)))
