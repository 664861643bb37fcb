"""Opening media safely: a closed list of containers, limits checked before decoding, a reason for every failure.

Files come from downloads and uploads. Only local files are opened: a playlist inside a clip cannot make the decoder
read another file, and a picture is refused by the size in its header before it is unpacked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import av

MAX_PIXELS = 4096 * 4096
MAX_SECONDS = 600.0  # of a clip
MAX_FILE_SECONDS = 6 * 3600.0  # of a file that holds many clips, of which a span is read
MAX_FRAMES = 72_000  # of a clip: 600 s of 120 frames per second
MAX_STREAMS = 16
MAX_RATE = 96_000  # of sound, Hz
CONTAINERS = "mov,mp4,m4a,3gp,matroska,webm,avi,flv,wav,mp3,flac,ogg,aac,mpeg,mpegts,asf"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_IMAGE_DEMUXERS = {b"\xff\xd8": "jpeg_pipe", b"\x89P": "png_pipe"}
_PLAYLISTS = (b"ffconcat", b"#EXTM3U", b"concat:", b"v=0\r\n", b"v=0\n", b"<?xml", b"<MPD", b"[playlist]")
_PROTOCOL = re.compile(
    r"(?:^|/)(?:[a-z][a-z0-9+.-]+:/|(?:concat|concatf|subfile|data|pipe|fd|cache|async|crypto|file)[:,])", re.IGNORECASE
)


class Reason(StrEnum):
    """Why a clip cannot be read."""

    MISSING = "missing"
    EMPTY = "empty"
    LFS_POINTER = "lfs_pointer"
    FORBIDDEN_CONTAINER = "forbidden_container"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    NO_VIDEO = "no_video"
    NO_AUDIO = "no_audio"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_MANY_STREAMS = "too_many_streams"
    OUTSIDE_ROOT = "outside_root"
    NOT_LOCAL = "not_local"  # a URL or another protocol in the place of a file
    NOT_EXTRACTED = "not_extracted"  # the feature store does not have it


ABSENT = frozenset({Reason.NO_VIDEO, Reason.NO_AUDIO})  # a modality that the clip does not have: not an error of the clip


class MediaError(ValueError):
    """A clip that cannot be read: which, why, and what to do."""

    def __init__(self, path: Path | str, reason: Reason, hint: str) -> None:
        super().__init__(f"{path}: {reason.value}: {hint}")
        self.path, self.reason, self.hint = Path(path), reason, hint

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason, self.hint)


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the header of a clip says; None where it does not say."""

    path: Path
    streams: int
    has_video: bool
    has_audio: bool
    duration: float | None = None  # seconds
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    sample_rate: int | None = None
    images: int | None = None  # of a directory of images


def resolve_inside(root: Path | str, relative: Path | str) -> Path:
    """The real path of `root / relative`.

    Raises:
        MediaError: it leads out of `root`, by `..`, as an absolute path, or through a symbolic link; or it is a URL.
    """
    base = Path(root).resolve()
    path = (base / relative).resolve()
    if not path.is_relative_to(base):
        raise MediaError(path, Reason.OUTSIDE_ROOT, f"{str(relative)!r} leads out of {base}; move the file below it")
    _refuse_protocol(path, str(relative))
    return path


def probe(path: Path | str, *, of_many: bool = False) -> MediaInfo:
    """Read the header of a video, a sound or a directory of images; decodes nothing.

    Args:
        of_many: the file holds many clips (`Media.span`), so that it may be longer than one.

    Raises:
        MediaError: not readable, or over a limit.
    """
    path = Path(path)
    if path.is_dir():
        images = image_files(path)
        with images[0].open("rb") as file:
            width, height = image_size(file) or (None, None)
        return MediaInfo(path, 1, True, False, width=width, height=height, images=len(images))
    with opened(path, of_many=of_many) as container:
        video = next(iter(container.streams.video), None)
        audio = next(iter(container.streams.audio), None)
        return MediaInfo(
            path,
            streams=len(container.streams),
            has_video=video is not None,
            has_audio=audio is not None,
            duration=container.duration / av.time_base if container.duration is not None else None,
            width=video.codec_context.width if video else None,
            height=video.codec_context.height if video else None,
            fps=float(video.average_rate) if video and video.average_rate else None,
            sample_rate=audio.codec_context.sample_rate if audio else None,
        )


def image_files(directory: Path) -> list[Path]:
    """The images of a directory in the order of the numbers in their names."""

    def order(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]

    files = [p for p in directory.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("._")]
    if not files:
        raise MediaError(directory, Reason.EMPTY, f"a directory as a video needs images {IMAGE_SUFFIXES}")
    if len(files) > MAX_FRAMES:
        raise MediaError(directory, Reason.TOO_MANY_FRAMES, f"{len(files):,} images; at most {MAX_FRAMES:,}")
    return sorted(files, key=order)


def image_size(file: BinaryIO) -> tuple[int, int] | None:
    """(width, height) in the header of a PNG or JPEG file, which is not decoded; None where there is none."""
    head = file.read(24)
    if head.startswith(b"\x89PNG") and len(head) == 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    file.seek(2)
    while head.startswith(b"\xff\xd8") and len(marker := file.read(4)) == 4 and marker[0] == 0xFF:
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):  # a frame header: JPEG, B.2.2
            frame = file.read(5)
            return (int.from_bytes(frame[3:5]), int.from_bytes(frame[1:3])) if len(frame) == 5 else None
        file.seek(int.from_bytes(marker[2:4]) - 2, os.SEEK_CUR)
    return None


@contextmanager
def opened(path: Path, *, image: bool = False, of_many: bool = False) -> Iterator[Any]:
    """An open container within the limits; every error of the decoder inside the block becomes a `MediaError`.

    Args:
        image: a JPEG or PNG file.
        of_many: the file holds many clips, so that it may be longer than one.
    """
    if not path.is_file():
        _refuse_protocol(path, str(path))
        raise MediaError(path, Reason.MISSING, "no such file; check the data root, or download the media")
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(0)
        width, height = image_size(file) or (0, 0)
    if not head:
        raise MediaError(path, Reason.EMPTY, "the file has 0 bytes; download it again")
    if head.startswith(b"version https://git-lfs"):
        raise MediaError(path, Reason.LFS_POINTER, "a git-lfs pointer, not the media; run `git lfs pull`")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLISTS):
        raise MediaError(path, Reason.FORBIDDEN_CONTAINER, "a playlist can open other files; give the media file itself")
    if (whole := _riff_bytes(head)) and (size := path.stat().st_size) < 0.9 * whole:
        raise MediaError(path, Reason.TRUNCATED, f"{size:,} bytes where the header says {whole:,}")
    if width * height > MAX_PIXELS:
        raise MediaError(path, Reason.TOO_LARGE, f"{width} x {height} pixels; at most 4096 x 4096")
    demuxer = _IMAGE_DEMUXERS.get(head[:2], "") if image else None
    if demuxer == "":
        raise MediaError(path, Reason.UNREADABLE, "not a JPEG or PNG file")
    options = {"protocol_whitelist": "file", "format_whitelist": demuxer or CONTAINERS}
    try:
        with av.open(f"file:{path.absolute()}", format=demuxer, options=options) as container:
            _check_limits(path, container, MAX_FILE_SECONDS if of_many else MAX_SECONDS)
            yield container
    except MediaError:
        raise
    except (av.FFmpegError, UnicodeDecodeError) as error:
        hint = f"{error}; damaged, or none of the containers {CONTAINERS}"
        raise MediaError(path, Reason.UNREADABLE, hint) from error


def _riff_bytes(head: bytes) -> int | None:
    """Bytes that a WAV or AVI file says it has; FFmpeg takes the size of the file instead, so that a cut one looks whole."""
    size = int.from_bytes(head[4:8], "little")
    declared = head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"AVI ") and 0 < size < 0x7FFF_F000  # more: written to a pipe
    return size + 8 if declared else None


def _refuse_protocol(path: Path, text: str) -> None:
    if _PROTOCOL.search(text) and not path.exists():
        raise MediaError(path, Reason.NOT_LOCAL, f"{text!r} is no local file; download it and give its path")


def _check_limits(path: Path, container: Any, most: float) -> None:
    if len(container.streams) > MAX_STREAMS:
        raise MediaError(path, Reason.TOO_MANY_STREAMS, f"{len(container.streams)} streams; at most {MAX_STREAMS}")
    if container.duration is not None and container.duration / av.time_base > most:
        raise MediaError(path, Reason.TOO_LONG, f"{container.duration / av.time_base:.0f} s; at most {most:.0f} s")
    for stream in (*container.streams.video, *container.streams.audio):
        if stream.codec_context is None:
            raise MediaError(path, Reason.UNREADABLE, "a stream's codec is unknown; the file is damaged or very unusual")
    for stream in container.streams.video:
        codec = stream.codec_context
        if codec.width * codec.height > MAX_PIXELS:
            raise MediaError(path, Reason.TOO_LARGE, f"{codec.width} x {codec.height} pixels; at most 4096 x 4096")
        if stream.frames > MAX_FRAMES * most / MAX_SECONDS:
            raise MediaError(path, Reason.TOO_MANY_FRAMES, f"{stream.frames:,} frames; a clip has at most {MAX_FRAMES:,}")
        codec.options = {"max_pixels": str(MAX_PIXELS)}  # a later frame may be larger than the header says
        stream.thread_count = 1  # the loader's workers are the parallelism
    for stream in container.streams.audio:
        if (rate := stream.codec_context.sample_rate) > MAX_RATE:
            raise MediaError(path, Reason.TOO_LARGE, f"{rate:,} samples a second; at most {MAX_RATE:,}")
        stream.thread_count = 1


def sought(container: Any, stream: Any, stamp: int) -> bool:
    """Go to the last key frame at or before a time stamp; False where the container cannot."""
    try:
        container.seek(stamp, stream=stream, backward=True)
    except av.FFmpegError:
        return False
    return True


def covers(seconds: float, span: tuple[float, float]) -> bool:
    """Whether `seconds` that are there from the start of a span on are enough of it: 90 %, with a quarter of a second to spare."""
    return seconds > 0 and seconds >= 0.9 * (span[1] - span[0]) - 0.25


def declared_seconds(stream: Any) -> float | None:
    """Seconds that the header promises for one stream."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska, WebM
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) if tag else None
