"""Decoding: what a clip gives, and every way in which a file can be refused."""

from __future__ import annotations

import json
import pickle
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from data_modules.media import MediaError, Reason, cut_clips, probe, read_audio, read_frames, resolve_inside

Write = Callable[..., Path]
PARITY = Path("/work/shared/parity/audio_clips_0.json")


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 220.0 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def shown(frames: torch.Tensor) -> list[int]:
    """Which frames of the test clip these are: frame k is grey level 10 k."""
    return [round(level / 10) for level in frames.float().mean((1, 2, 3)).tolist()]


def reason_of(read: Callable[[], object]) -> Reason:
    with pytest.raises(MediaError) as caught:
        read()
    assert str(caught.value.path) in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize(
    ("name", "codecs", "rate"),
    [
        ("clip.mp4", ("libx264", "aac"), 16_000),
        ("clip.webm", ("libvpx", "libopus"), 48_000),
        ("clip.mkv", ("libx264", "aac"), 16_000),
        ("clip.avi", ("mpeg4", "mp3"), 44_100),
        ("with B frames.avi", ("libx264", "pcm_s16le"), 16_000),
        ("片段 😀.mov", ("mpeg4", "pcm_s16le"), 16_000),
    ],
)
def test_frames_are_spread_over_the_clip_and_sound_is_16_khz_mono(
    tmp_path: Path, make_clip: Write, name: str, codecs: tuple[str, str], rate: int
):
    path = make_clip(tmp_path / name, frames=24, fps=12, sound=tone(2.0, rate), rate=rate, codecs=codecs)
    frames = read_frames(path, count=8, size=32)
    assert (frames.shape, frames.dtype) == ((8, 3, 32, 32), torch.uint8)
    assert shown(frames) == [0, 3, 6, 9, 12, 15, 18, 21]
    waveform = read_audio(path)
    assert waveform.dtype == torch.float32
    assert abs(waveform.shape[0] - 32_000) <= 1_200
    info = probe(path)
    assert (info.width, info.height, info.has_audio) == (64, 48, True)
    assert info.duration == pytest.approx(2.0, abs=0.1)


def test_aac_priming_does_not_lengthen_the_sound(clip_file: Path):
    assert read_audio(clip_file).shape == (32_000,)


def test_seeking_gives_the_same_frames_as_decoding_through(tmp_path: Path, make_clip: Write):
    often = make_clip(tmp_path / "often.mp4", frames=24, gop=1)
    whole = make_clip(tmp_path / "whole.mp4", frames=24, gop=250)
    assert shown(read_frames(often, 2, 32)) == shown(read_frames(whole, 2, 32)) == [0, 12]


def test_a_variable_frame_rate_is_sampled_by_time(tmp_path: Path, make_clip: Write):
    times = [0, 100, 200, 300, 400, 1000, 1600, 2200, 2800, 3400]  # ms: half of the frames in the first ninth
    frames = read_frames(make_clip(tmp_path / "vfr.mkv", frames=10, times=times), 4, 32)
    assert shown(frames) == [0, 4, 6, 7]  # the frames on screen at 0, 0.88, 1.76 and 2.64 s


def test_too_few_frames_repeat_the_last(tmp_path: Path, make_clip: Write):
    assert shown(read_frames(make_clip(tmp_path / "short.mp4", frames=3), 8, 32)) == [0, 1, 2, 2, 2, 2, 2, 2]


def test_a_directory_of_images_is_a_video(tmp_path: Path):
    for index in range(12):
        picture = np.full((48, 64, 3), 10 * index, dtype=np.uint8)
        av.VideoFrame.from_ndarray(picture, format="rgb24").to_image().save(tmp_path / f"{index + 1}.jpg")
    (tmp_path / "._1.jpg").write_bytes(b"left by macOS")
    assert shown(read_frames(tmp_path, 4, 32)) == [0, 3, 6, 9]
    assert probe(tmp_path).images == 12


def test_channels_are_averaged(tmp_path: Path, make_wav: Write):
    path = make_wav(tmp_path / "stereo.wav", np.stack([tone(0.5), 0 * tone(0.5)]))
    assert read_audio(path).abs().max().item() == pytest.approx(0.15, abs=1e-3)


def test_what_is_absent_is_named(tmp_path: Path, make_clip: Write, make_wav: Write):
    silent, sound = make_clip(tmp_path / "silent.mp4"), make_wav(tmp_path / "sound.wav", tone(0.5))
    empty = tmp_path / "empty.wav"
    with wave.open(str(empty), "wb") as file:  # a header that promises nothing
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
    assert reason_of(lambda: read_audio(silent)) is Reason.NO_AUDIO
    assert reason_of(lambda: read_audio(empty)) is Reason.NO_AUDIO
    assert reason_of(lambda: read_frames(sound, 8, 32)) is Reason.NO_VIDEO


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", Reason.LFS_POINTER),
        (b"ffconcat version 1.0\nfile clip.mp4\n", Reason.FORBIDDEN_CONTAINER),
        (b"#EXTM3U\n#EXTINF:1,\nclip.mp4\n", Reason.FORBIDDEN_CONTAINER),
        (b"\xef\xbb\xbf\n ffconcat version 1.0\nfile clip.mp4\n", Reason.FORBIDDEN_CONTAINER),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", Reason.FORBIDDEN_CONTAINER),
        (b"concat:clip.mp4|clip.mp4", Reason.FORBIDDEN_CONTAINER),
        (b"<html>not found</html>" * 50, Reason.UNREADABLE),
    ],
)
def test_files_that_are_not_media_are_refused(tmp_path: Path, clip_file: Path, content: bytes, reason: Reason):
    (tmp_path / "clip.mp4").write_bytes(clip_file.read_bytes())
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    assert reason_of(lambda: read_frames(path, 8, 32)) is reason
    assert reason_of(lambda: read_audio(path)) is reason


def test_missing_truncated_and_huge_files_are_refused(tmp_path: Path, make_clip: Write):
    assert reason_of(lambda: read_audio(tmp_path / "none.wav")) is Reason.MISSING
    for name, reason in (("cut.mp4", Reason.UNREADABLE), ("cut.mkv", Reason.TRUNCATED)):
        path = make_clip(tmp_path / name, frames=48, sound=tone(6.0))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert reason_of(lambda p=path: read_frames(p, 8, 32)) is reason
    bomb = make_clip(tmp_path / "bomb.mkv", frames=1, size=(5000, 4000), codecs=("mpeg4", ""))
    assert reason_of(lambda: read_frames(bomb, 8, 32)) is Reason.TOO_LARGE


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0) + bytes(64)


def jpeg_header(width: int, height: int) -> bytes:
    note = b"\xff\xfe" + struct.pack(">H", 30_002) + bytes(30_000)  # what cameras put before the size
    return b"\xff\xd8" + note + b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width) + bytes(64)


@pytest.mark.parametrize(("name", "header"), [("1.png", png_header), ("1.jpg", jpeg_header)])
def test_a_huge_picture_is_refused_by_its_header(tmp_path: Path, name: str, header: Callable[[int, int], bytes]):
    (tmp_path / name).write_bytes(header(20_000, 20_000))
    assert (probe(tmp_path).width, probe(tmp_path).height) == (20_000, 20_000)
    assert reason_of(lambda: read_frames(tmp_path, 8, 32)) is Reason.TOO_LARGE
    (tmp_path / name).write_bytes(header(200, 100))
    assert reason_of(lambda: read_frames(tmp_path, 8, 32)) is Reason.UNREADABLE  # and not too large: there are no pixels


def test_limits_on_frames_streams_and_rates(tmp_path: Path, make_clip: Write, monkeypatch: pytest.MonkeyPatch):
    path = make_clip(tmp_path / "clip.mp4", frames=20)
    matroska = make_clip(tmp_path / "clip.mkv", frames=20)  # whose header does not say how many
    monkeypatch.setattr("data_modules.containers.MAX_FRAMES", 19)
    monkeypatch.setattr("data_modules.frames.MAX_FRAMES", 19)
    assert reason_of(lambda: read_frames(path, 8, 32)) is reason_of(lambda: probe(path)) is Reason.TOO_MANY_FRAMES
    assert reason_of(lambda: read_frames(matroska, 8, 32)) is Reason.TOO_MANY_FRAMES
    with av.open(str(tmp_path / "many.mkv"), "w") as container:
        for _ in range(20):
            container.add_stream("pcm_s16le", rate=8000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        block.sample_rate = 8000
        container.mux(container.streams.audio[0].encode(block))
    assert reason_of(lambda: read_audio(tmp_path / "many.mkv")) is Reason.TOO_MANY_STREAMS


def test_a_sample_rate_that_can_only_be_damage_costs_no_memory(tmp_path: Path, make_wav: Write):
    odd = make_wav(tmp_path / "odd.wav", tone(0.5, 16_001), rate=16_001)
    assert reason_of(lambda: read_audio(odd)) is Reason.UNREADABLE  # torchaudio would build a filter of 1 GB
    assert read_audio(odd, resampler="ffmpeg").shape == (8_000,)
    data = bytearray(make_wav(tmp_path / "fast.wav", tone(0.5)).read_bytes())
    data[24:28] = struct.pack("<I", 400_000_000)
    (tmp_path / "fast.wav").write_bytes(data)
    assert reason_of(lambda: read_audio(tmp_path / "fast.wav")) is Reason.TOO_LARGE


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050, 8_000])
def test_ffmpegs_resampler_is_as_exact_as_torchaudios(tmp_path: Path, make_wav: Write, rate: int):
    path = make_wav(tmp_path / "tone.wav", tone(1.0, rate), rate=rate)
    ideal = torch.from_numpy(tone(1.0))[200:-200]
    for resampler in ("torchaudio", "ffmpeg"):
        waveform = read_audio(path, resampler=resampler)
        assert waveform.shape == (16_000,)
        assert float((waveform[200:-200] - ideal).abs().max()) < 2e-3 * 0.3


@pytest.mark.parametrize("name", ["cut.wav", "cut.avi"])
def test_a_cut_file_is_known_by_the_length_that_it_declares(tmp_path: Path, make_clip: Write, name: str):
    video = name.endswith("avi")
    path = make_clip(
        tmp_path / name, frames=48 if video else 0, sound=tone(6.0), codecs=("mpeg4" if video else "", "pcm_s16le")
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason_of(lambda: read_audio(path)) is reason_of(lambda: probe(path)) is Reason.TRUNCATED


def test_paths_stay_inside_the_root(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.wav").touch()
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert resolve_inside(root, "a/b.wav") == root.resolve() / "a/b.wav"
    for relative in ("../secret.wav", "/etc/passwd", "link.wav"):
        assert reason_of(lambda r=relative: resolve_inside(root, r)) is Reason.OUTSIDE_ROOT


@pytest.mark.parametrize(
    "address", ["http://host/clip.mp4", "https:/host/clip.mp4", "concat:clip.mp4|clip.mp4", "subfile,,start,0,end,9,,:clip.mp4"]
)
def test_an_address_is_no_file(tmp_path: Path, clip_file: Path, address: str):
    (tmp_path / "clip.mp4").write_bytes(clip_file.read_bytes())
    assert reason_of(lambda: resolve_inside(tmp_path, address)) is Reason.NOT_LOCAL
    assert reason_of(lambda: read_frames(address, 8, 32)) is Reason.NOT_LOCAL
    assert reason_of(lambda: read_frames(tmp_path / address, 8, 32)) is Reason.NOT_LOCAL


def test_an_error_survives_the_way_from_a_worker():
    error = pickle.loads(pickle.dumps(MediaError("a.mp4", Reason.EMPTY, "download it again")))
    assert (error.path, error.reason, error.hint) == (Path("a.mp4"), Reason.EMPTY, "download it again")


def test_clips_reach_the_end_of_a_recording():
    clips = cut_clips(torch.arange(80_000.0), 4, 1.0)
    assert clips.shape == (4, 16_000)
    assert clips[:, 0].tolist() == [0, 21_333, 42_666, 64_000]
    assert clips[-1, -1] == 79_999


def test_short_recordings_are_padded_and_their_clips_equal():
    clips = cut_clips(torch.ones(100), 3, 0.01)
    assert clips.sum(1).tolist() == [100, 100, 100]
    assert clips.shape == (3, 160)


@pytest.mark.skipif(not PARITY.exists(), reason="the parity fixtures are not on this machine")
def test_released_clips_start_where_the_official_loader_cuts():
    for row in json.loads(PARITY.read_text())["rows"]:
        clips = cut_clips(torch.arange(1.0, row["samples"] + 1), 8, 2.0, spread="released")
        assert (clips[:, 0] - 1).tolist() == row["starts"]
        assert (clips == 0).sum(1).tolist() == row["zero_tail"]
