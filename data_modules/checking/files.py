"""One media file looked over: what it holds and what is wrong with it. This runs in the check's worker processes.

The light check reads the header and every packet, and decodes sound until something is audible. The full check decodes
all of it. Neither keeps a picture or a sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from data_modules.containers import (
    MAX_FILE_SECONDS,
    MAX_FRAMES,
    MAX_SECONDS,
    MediaError,
    Reason,
    declared_seconds,
    image_files,
    opened,
)
from data_modules.content import file_digest

SILENCE = 1e-3  # of full scale, -60 dB: a track that never exceeds it is silent
VIDEO, AUDIO = "video", "audio"


@dataclass(frozen=True, slots=True)
class FileJob:
    """A file, or a directory of images, in the state in which it is to be looked over.

    Attributes:
        size: bytes; of a directory, all its images together. -1: there is nothing.
        modified: modification time in nanoseconds; of a directory, the latest.
        digest: whether its content is to be compared with that of others.
        decode: whether all of it is decoded.
        of_many: it holds many clips, so it may be longer than one.
    """

    path: Path
    size: int
    modified: int
    digest: bool = False
    decode: bool = False
    of_many: bool = False

    @property
    def key(self) -> str:
        """What a finding is remembered under: another state of the file, or a fuller check, is another key."""
        return f"{self.path}|{self.size}|{self.modified}|{'decode' if self.decode else 'light'}{'|of many' * self.of_many}"


@dataclass(frozen=True)
class FileReport:
    """What was found.

    Attributes:
        problems: stream (`video`, `audio`) -> (reason, hint): why it cannot be used; a file's own problem is in both.
        seconds: length of the longest stream.
        lengths: stream -> its seconds.
        silent: it has a sound track in which nothing is audible.
        digest: of its content, where that was asked for and the file could be opened.
    """

    problems: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float | None = None
    lengths: Mapping[str, float] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    sample_rate: int | None = None
    silent: bool = False
    digest: str = ""

    @classmethod
    def unusable(cls, reason: Reason, hint: str) -> FileReport:
        """The report of a file of which no stream can be used."""
        return cls(problems={VIDEO: (reason.value, hint), AUDIO: (reason.value, hint)})


def job_of(path: Path, *, decode: bool = False, of_many: bool = False) -> FileJob:
    """The job for a file as it is now; nothing is opened."""
    try:
        files = image_files(path) if path.is_dir() else [path]
        states = [file.stat() for file in files]
    except (OSError, MediaError):
        return FileJob(path, -1, 0, decode=decode, of_many=of_many)
    size, modified = sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)
    return FileJob(path, size, modified, decode=decode, of_many=of_many)


def check_file(job: FileJob) -> FileReport:
    """Look a file over. Whatever is wrong with it is in the report; nothing is raised."""
    try:
        report = _images(job) if job.path.is_dir() else _streams(job)
        if not job.digest:
            return report
        files = image_files(job.path) if job.path.is_dir() else [job.path]
        return FileReport(**{**_fields(report), "digest": ",".join(map(file_digest, files))})
    except MediaError as error:
        return FileReport.unusable(error.reason, error.hint)
    except Exception as error:  # a damaged file finds every hole of a decoder: it is named, and the check goes on
        return FileReport.unusable(Reason.UNREADABLE, f"{type(error).__name__}: {error}")


def _fields(report: FileReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__dataclass_fields__}


def _images(job: FileJob) -> FileReport:
    width = height = None
    for path in image_files(job.path):
        with opened(path, image=True) as container:
            if width is None:
                width, height = container.streams.video[0].codec_context.width, container.streams.video[0].codec_context.height
            if job.decode and next(container.decode(video=0), None) is None:
                raise MediaError(path, Reason.UNREADABLE, "the image does not decode")
    lacks = (Reason.NO_AUDIO.value, "a directory of images has no sound")
    return FileReport(problems={AUDIO: lacks}, width=width, height=height)


class _Track:
    """One stream while its packets go by."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.declared = stream, declared_seconds(stream)
        self.packets = self.frames = self.samples = 0
        self.start: int | None = None
        self.end = 0
        self.audible = False

    def add(self, packet: Any) -> None:
        self.packets += 1
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None:
            self.start = time if self.start is None else min(self.start, time)
            self.end = max(self.end, time + (packet.duration or 0))

    def hear(self, frames: Iterable[Any]) -> None:
        for frame in frames:
            self.frames += 1
            self.samples += frame.samples
            self.audible = self.audible or _peak(frame.to_ndarray()) > SILENCE

    @property
    def seconds(self) -> float:
        if self.start is not None:
            return float((self.end - self.start) * self.stream.time_base)
        rate = getattr(self.stream, "average_rate", None)
        return self.packets / float(rate) if rate else 0.0

    def problem(self, absent: Reason, job: FileJob) -> tuple[str, str] | None:
        if not self.packets:
            return absent.value, "the stream holds nothing"
        most = MAX_FILE_SECONDS if job.of_many else MAX_SECONDS
        if self.seconds > most:
            return Reason.TOO_LONG.value, f"{self.seconds:.0f} s; at most {most:.0f} s"
        if absent is Reason.NO_VIDEO and self.packets > MAX_FRAMES * most / MAX_SECONDS:
            return Reason.TOO_MANY_FRAMES.value, f"{self.packets:,} frames; a clip has at most {MAX_FRAMES:,}"
        length = self.seconds
        if job.decode and absent is Reason.NO_AUDIO:  # packets promise samples that a damaged one does not give
            length = self.samples / (self.stream.codec_context.sample_rate or 1)
        if self.declared is not None and length < 0.9 * self.declared - 0.25:
            return Reason.TRUNCATED.value, f"{length:.2f} s where the header says {self.declared:.2f} s"
        if job.decode and not self.frames:
            return Reason.UNREADABLE.value, "nothing of the stream decodes"
        return None


def _streams(job: FileJob) -> FileReport:
    problems: dict[str, tuple[str, str]] = {}
    with opened(job.path, of_many=job.of_many) as container:
        tracks = {kind: _Track(found[0]) for kind, found in _found(container).items() if found}
        by_index = {track.stream.index: (kind, track) for kind, track in tracks.items()}
        for packet in container.demux([track.stream for track in tracks.values()]) if tracks else ():
            kind, track = by_index[packet.stream.index]
            if packet.size:
                track.add(packet)
            if kind not in problems and (job.decode or (kind == AUDIO and not track.audible)):
                try:  # an empty packet at the end takes out what the decoder has kept back
                    frames = packet.decode()
                    if kind == AUDIO:
                        track.hear(frames)
                    else:
                        track.frames += len(frames)
                except av.FFmpegError as error:
                    problems[kind] = (Reason.UNREADABLE.value, f"{error}, after {track.frames} frames")
        codec = tracks[VIDEO].stream.codec_context if VIDEO in tracks else None
        rate = tracks[VIDEO].stream.average_rate if VIDEO in tracks else None
        sample_rate = tracks[AUDIO].stream.codec_context.sample_rate if AUDIO in tracks else None
        for kind, absent in ((VIDEO, Reason.NO_VIDEO), (AUDIO, Reason.NO_AUDIO)):
            if kind not in tracks:
                problems[kind] = (absent.value, f"the file has no {kind} stream")
            elif kind not in problems and (problem := tracks[kind].problem(absent, job)):
                problems[kind] = problem
        return FileReport(
            problems=problems,
            seconds=max((round(track.seconds, 3) for track in tracks.values()), default=None),
            lengths={kind: round(track.seconds, 3) for kind, track in tracks.items()},
            width=codec.width if codec else None,
            height=codec.height if codec else None,
            fps=round(float(rate), 3) if rate else None,
            sample_rate=sample_rate,
            silent=AUDIO in tracks and AUDIO not in problems and not tracks[AUDIO].audible,
        )


def _found(container: Any) -> dict[str, Any]:
    return {VIDEO: container.streams.video, AUDIO: container.streams.audio}


def _peak(samples: np.ndarray[Any, Any]) -> float:
    """Largest deviation from silence, as a share of full scale."""
    if not samples.size:
        return 0.0
    if samples.dtype == np.uint8:
        return float(np.abs(samples.astype(np.int16) - 128).max()) / 128
    full = float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "i" else 1.0
    return float(np.abs(samples.astype(np.float32)).max()) / full
