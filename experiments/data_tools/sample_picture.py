"""A sample as a picture: a strip of its frames above its waveform, on one axis of seconds."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from data_modules.checking.files import FileReport, check_file, job_of
from data_modules.inputs import MediaInputs
from data_modules.media import ABSENT, MediaError, Reason, read_audio
from data_modules.record import Sample
from nano_emox.evaluation.pictures import BLUE, GREY, INK, RED, printable

WIDTH, FRAMES, RATE = 11.0, 8, 16_000


def draw_sample(sample: Sample, path: Path) -> list[str]:
    """Write the PNG; what cannot be shown is said in it and returned, a sentence each."""
    report = check_file(job_of(sample.media.video or sample.media.audio or Path(), of_many=sample.media.span is not None))
    frames, no_frames = _frames(sample)
    sound, no_sound = _sound(sample)
    seconds = _seconds(sample, report, sound)
    strip = 0.45 if frames is None else min(WIDTH / FRAMES * 0.95 * _aspect(sample, report), 3.2)
    title = _title(sample)
    above = 0.3 + 0.19 * len(title)
    figure = Figure(figsize=(WIDTH, above + strip + 2.2), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    height = above + strip + 2.2
    left, right = 0.055, 0.985
    for index, line in enumerate(title):
        figure.text(left, 1 - (0.12 + 0.19 * index) / height, printable(line), va="top", fontsize=11 if index == 0 else 9,
                    fontweight="bold" if index == 0 else "normal", color=INK if index == 0 else GREY)  # fmt: skip
    above_axes = figure.add_axes((left, (2.2 + 0.02) / height, right - left, strip / height))
    below = figure.add_axes((left, 0.5 / height, right - left, 1.6 / height))
    _draw_frames(above_axes, frames, no_frames, seconds)
    _draw_sound(below, sound, no_sound, seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")  # whatever its name ends in
    return [str(error) for error in (no_frames, no_sound) if error is not None and error.reason not in ABSENT]


def _frames(sample: Sample) -> tuple[Tensor | None, MediaError | None]:
    try:
        return MediaInputs(frames=FRAMES, size=224, modalities=("visual",)).read_frames(sample), None
    except MediaError as error:
        return None, error


def _sound(sample: Sample) -> tuple[np.ndarray | None, MediaError | None]:
    path = sample.media.audio or sample.media.video
    assert path is not None
    try:
        if path.is_dir():
            raise MediaError(path, Reason.NO_AUDIO, "a directory of images has no sound")
        span = sample.media.span if sample.media.audio is None else None
        return read_audio(path, span=span, resampler="ffmpeg").numpy(), None
    except MediaError as error:
        return None, error


def _seconds(sample: Sample, report: FileReport, sound: np.ndarray | None) -> float:
    if sample.media.span is not None:
        return sample.media.span[1] - sample.media.span[0]
    return report.seconds or (len(sound) / RATE if sound is not None else 1.0)


def _aspect(sample: Sample, report: FileReport) -> float:
    """Height over width of what is shown."""
    left, top, right, bottom = sample.media.crop or (0.0, 0.0, 1.0, 1.0)
    if not report.width or not report.height:
        return 1.0
    return (report.height * (bottom - top)) / (report.width * (right - left))


def _title(sample: Sample) -> list[str]:
    says = f"“{sample.subtitle}”" if sample.subtitle else ""
    labels = [
        sample.label or "",
        ", ".join(sample.words or ()),
        "" if sample.score is None else f"score {sample.score:+.2f}",
    ]
    span = sample.media.span
    part = f"   ({span[0]:.2f} to {span[1]:.2f} s of its file)" if span else ""
    lines = [f"{sample.dataset} / {sample.id}{part}", "; ".join(label for label in labels if label)]
    spoken = textwrap.wrap(says[:1000], 130, max_lines=2, placeholder=" …")
    return [line if len(line) <= 160 else f"{line[:158]} …" for line in (*lines, *spoken) if line]


def _draw_frames(axes: Axes, frames: Tensor | None, lacks: MediaError | None, seconds: float) -> None:
    axes.set(xlim=(0, seconds), ylim=(0, 1), yticks=[], xticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    if frames is None:
        _say(axes, lacks)
        return
    for index, frame in enumerate(frames):
        start, width = index * seconds / FRAMES, seconds / FRAMES
        axes.imshow(frame.permute(1, 2, 0).numpy(), extent=(start, start + 0.97 * width, 0, 1), aspect="auto", zorder=1)
    axes.set(xlim=(0, seconds), ylim=(0, 1))


def _draw_sound(axes: Axes, sound: np.ndarray | None, lacks: MediaError | None, seconds: float) -> None:
    axes.set_xlim(0, seconds)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c9ced6")
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_xlabel("seconds", color=GREY)
    if sound is None:
        axes.set_yticks([])
        _say(axes, lacks)
        return
    edges = np.linspace(0, len(sound), min(2000, len(sound)) + 1).astype(int)
    low, high = np.minimum.reduceat(sound, edges[:-1]), np.maximum.reduceat(sound, edges[:-1])
    axes.fill_between(edges[:-1] / RATE, low, high, color=BLUE, linewidth=0.4, edgecolor=BLUE)
    reach = max(float(np.abs(sound).max()), 1e-3) * 1.05
    axes.set(ylim=(-reach, reach), yticks=[-reach / 1.05, 0, reach / 1.05])
    axes.set_yticklabels([f"{value:.2f}" for value in axes.get_yticks()])


def _say(axes: Axes, lacks: MediaError | None) -> None:
    if lacks is None:
        return
    absent = lacks.reason in ABSENT
    text = lacks.hint if absent else f"{lacks.reason.value}: {lacks.hint}"
    axes.text(
        0.5,
        0.5,
        printable(textwrap.shorten(text, 120)),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=GREY if absent else RED,
    )
