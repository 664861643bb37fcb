"""Frames of a clip, by time stamp. Only packets of the clip are looked at, and only what is needed is decoded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from data_modules.containers import (
    MAX_FRAMES,
    MAX_SECONDS,
    MediaError,
    Reason,
    covers,
    declared_seconds,
    image_files,
    opened,
    sought,
)  # fmt: skip

Span = tuple[float, float]
Crop = tuple[float, float, float, float]
_ROUNDING = Fraction(1, 2000)  # seconds: Matroska rounds time stamps to milliseconds
_SEEK_GAIN = 8  # frames that a seek must save to be worth a flush of the decoder


def read_frames(path: Path | str, count: int, size: int, *, span: Span | None = None, crop: Crop | None = None) -> Tensor:
    """`count` uniformly spaced frames: frame `floor(i * frames / count)`, as the released code takes them.

    Where the frame rate varies, it is the frame shown at `i * duration / count`. Fewer frames than `count`: the last
    index is repeated. The aspect ratio is not kept (as released).

    Args:
        size: pixels a side, of what is returned.
        span: (start, end) in seconds from the beginning of the file: the frames that begin in it, or the one that is shown
            at its start if none does. The rest of the file is neither read nor decoded, where the container has an index.
        crop: (left, top, right, bottom) in [0, 1], of the picture as it is shown.

    Returns:
        (count, 3, size, size) uint8 RGB.

    Raises:
        MediaError: unreadable or over a limit; `no_video` where there is no video stream.
    """
    path = Path(path)
    if path.is_dir():
        if span is not None:
            raise MediaError(path, Reason.UNREADABLE, "a directory of images has no times, so no span of it can be read")
        files = image_files(path)
        chosen = {index: _decode_image(files[index], size, crop) for index in sorted(set(_grid(len(files), count)))}
        return torch.stack([chosen[index] for index in _grid(len(files), count)])
    index = _index(path) if span is None else _index_span(path, span)
    targets = index.targets(count)
    # A second handle: some demuxers cannot rewind after the scan.
    with opened(path, of_many=span is not None) as container:
        found = _decode_at(container, path, index, sorted(set(targets)), size, crop)
    return torch.stack([found[target] for target in targets])


@dataclass(frozen=True, slots=True)
class _Index:
    """Frames that can be decoded, in the order of their display, by their stamps in ticks of the stream.

    Attributes:
        times: of the frames from the first one that must be decoded.
        keys: of the frames at which decoding can start.
        own: the clip's frames are `times[own[0] : own[1]]`.
        end: of the clip.
        counted: stamps do not tell the order of display (AVI with B-frames): frames are counted from the file's beginning.
        inside: `times` starts inside the file.
    """

    times: list[int]
    keys: list[int]
    own: tuple[int, int]
    end: int
    counted: bool = False
    inside: bool = False

    def targets(self, count: int) -> list[int]:
        """Indices into `times` of the frames to take."""
        times = self.times[slice(*self.own)]
        mean = Fraction(times[-1] - times[0], max(len(times) - 1, 1))
        steady = all(abs(time - times[0] - mean * i) <= 1 for i, time in enumerate(times))
        if self.counted or steady or len(times) < count:
            chosen = _grid(len(times), count)  # constant rate: exact, whatever the container's rounding
        else:
            length = self.end - times[0]
            chosen = [bisect_right(times, times[0] + Fraction(i * length, count)) - 1 for i in range(count)]
        return [self.own[0] + i for i in chosen]


def _video(path: Path, container: Any) -> Any:
    if not container.streams.video:
        raise MediaError(path, Reason.NO_VIDEO, "the file has no video stream")
    return container.streams.video[0]


def _packets(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    number = 0
    for packet in container.demux(stream):
        if packet.size:
            number += 1
            if number > MAX_FRAMES:
                raise MediaError(path, Reason.TOO_MANY_FRAMES, f"more than {MAX_FRAMES:,} frames; cut the clip")
            yield packet


def _index(path: Path) -> _Index:
    """Of a file that is one clip."""
    with opened(path) as container:
        stream = _video(path, container)
        packets = list(_packets(path, container, stream))
        if not packets:
            raise MediaError(path, Reason.NO_VIDEO, "the video stream has no frames")
        _check_length(path, container, stream, packets)
        frames = (0, len(packets))
        if container.format.name == "avi" or any(packet.pts is None for packet in packets):  # AVI has no display times
            return _Index(list(range(len(packets))), [], frames, len(packets), counted=True)
        times = sorted(packet.pts for packet in packets)
        keys = sorted(packet.pts for packet in packets if packet.is_keyframe)
        return _Index(times, keys, frames, max(times) + (packets[-1].duration or _step(times)))


def _index_span(path: Path, span: Span) -> _Index:
    """Of a clip inside a file: from the key frame before it to its end, or all of it where the file cannot be sought in."""
    for seek in (True, False):
        with opened(path, of_many=True) as container:
            stream = _video(path, container)
            in_order = container.format.name != "avi" or not stream.codec_context.has_b_frames
            if seek and not in_order:
                continue
            zero = 0 if container.start_time is None else container.start_time / (av.time_base * stream.time_base)
            start, end = (ceil(Fraction(zero) + (Fraction(second) - _ROUNDING) / stream.time_base) for second in span)
            shown = floor(Fraction(zero) + (Fraction(span[0]) + _ROUNDING) / stream.time_base)
            if seek and not sought(container, stream, shown):
                continue
            times, keys, complete = [], [], False
            for packet in _packets(path, container, stream):
                stamp = _stamp(packet, container)
                if stamp is None:
                    continue
                times.append(stamp)
                if packet.is_keyframe:
                    keys.append(stamp)
                if complete := (packet.dts if packet.dts is not None else stamp) >= end:
                    break
            times.sort()
            if seek and not (keys and min(keys) <= shown):
                continue  # the file has no index, or starts after the span does
            if not times or (not complete and times[-1] + _step(times) <= start):
                problem = f"the video ends before its span {span[0]:.2f}-{span[1]:.2f} s starts"
                raise MediaError(path, Reason.TRUNCATED, problem)
            if not complete:
                _check_covered(path, span, float((times[-1] + _step(times) - start) * stream.time_base))
            own = bisect_left(times, start), bisect_left(times, end)
            if own[0] == own[1]:
                first = max(bisect_right(times, shown) - 1, 0)
                own = first, first + 1
            return _Index(times, sorted(keys) if in_order else [], own, end, counted=not in_order, inside=seek)
    raise AssertionError("the second round returns or raises")


def _stamp(coded: Any, container: Any) -> int | None:
    """When a packet or a frame is shown; AVI numbers frames in the order in which they are stored."""
    return coded.dts if container.format.name == "avi" or coded.pts is None else coded.pts


def _check_covered(path: Path, span: Span, seconds: float) -> None:
    if not covers(seconds, span):
        problem = f"{seconds:.2f} s of video where the span {span[0]:.2f}-{span[1]:.2f} s was to be"
        raise MediaError(path, Reason.TRUNCATED, problem)


def _check_length(path: Path, container: Any, stream: Any, packets: list[Any]) -> None:
    declared = declared_seconds(stream)
    times = [stamp for packet in packets if (stamp := _stamp(packet, container)) is not None]
    if not times:
        return
    length = float((max(times) - min(times) + (packets[-1].duration or 0)) * stream.time_base)
    if length > MAX_SECONDS:
        raise MediaError(path, Reason.TOO_LONG, f"{length:.0f} s; at most {MAX_SECONDS:.0f} s")
    if declared is not None and length < 0.9 * declared - 0.25:
        raise MediaError(path, Reason.TRUNCATED, f"{length:.2f} s of video where the header says {declared:.2f} s")


def _grid(frames: int, count: int) -> list[int]:
    return [i * frames // count for i in range(count)] if frames >= count else [min(i, frames - 1) for i in range(count)]


def _step(times: list[int]) -> int:
    return round((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else 1


def _decode_at(container: Any, path: Path, index: _Index, wanted: list[int], size: int, crop: Crop | None) -> dict[int, Tensor]:
    """Decode the frames with the indices `wanted` (ascending), jumping to key frames where that saves decoding."""
    stream = container.streams.video[0]
    scaler = av.video.reformatter.VideoReformatter()
    times, keys = index.times, index.keys
    found: dict[int, Tensor] = {}
    position, decoder, last, far = -1, container.decode(stream), None, index.inside
    for target in wanted:
        key = keys[bisect_right(keys, times[target]) - 1] if keys and keys[0] <= times[target] else None
        if key is not None and (far or bisect_right(times, key) - 1 > position + _SEEK_GAIN):
            container.seek(key, stream=stream, backward=True)
            decoder, far = container.decode(stream), False
        while position < target and (frame := next(decoder, None)) is not None:
            last = frame
            stamp = None if index.counted else _stamp(frame, container)
            position = bisect_right(times, stamp) - 1 if stamp is not None else position + 1
        if last is None:
            raise MediaError(path, Reason.UNREADABLE, "no frame of the video decodes")
        found[target] = _to_tensor(last, scaler, size, crop)
    return found


def _decode_image(path: Path, size: int, crop: Crop | None) -> Tensor:
    with opened(path, image=True) as container:
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise MediaError(path, Reason.UNREADABLE, "the image does not decode")
        return _to_tensor(frame, av.video.reformatter.VideoReformatter(), size, crop)


def _to_tensor(frame: Any, scaler: Any, size: int, crop: Crop | None) -> Tensor:
    turns = round(frame.rotation / 90) % 4  # telephones store how they were held
    if crop is not None:
        picture = np.rot90(scaler.reformat(frame, format="rgb24").to_ndarray(), turns)
        rows, columns = (_part(picture.shape[axis], crop[1 - axis], crop[3 - axis]) for axis in (0, 1))
        frame, turns = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[rows, columns]), format="rgb24"), 0
    picture = scaler.reformat(frame, size, size, "rgb24", interpolation="BICUBIC").to_ndarray()
    return torch.from_numpy(np.ascontiguousarray(np.rot90(picture, turns).transpose(2, 0, 1)))


def _part(pixels: int, start: float, end: float) -> slice:
    """At least one pixel."""
    first = min(round(start * pixels), pixels - 1)
    return slice(first, max(round(end * pixels), first + 1))
