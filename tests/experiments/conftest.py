"""A whole world for the end-to-end tests: a small corpus, untrained tiny backbones, and their features."""

import av
import numpy as np
import pytest
import torch

from data_modules.synthetic.corpus import write_corpus
from experiments.assembly import configure
from experiments.extract import extract
from experiments.logs import calm
from nano_emox import tiny
from nano_emox.text_stream import lines

SHORT = [
    f"phases.{phase}.{key}={value}"
    for phase in ("phase1_speech", "phase1_visual", "phase2", "phase3")
    for key, value in (("epochs", 1), ("steps_per_epoch", 2), ("batch_size", 4))
]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    calm()
    root = tmp_path_factory.mktemp("world")
    write_corpus(root / "data", seed=5, clips=70, workers=1, progress=False)
    tiny.save_tiny(root / "weights", 5, lines(5, 400), vocabulary=1024)
    extract(config_of(root, root / "first"))
    return root


@pytest.fixture(scope="session")
def make_config(world):
    return lambda output, *overrides: config_of(world, output, *overrides)


@pytest.fixture(scope="session")
def write_clip():
    return write_foreign_clip


def config_of(root, output, *overrides):
    return configure(
        "tiny",
        [
            f"data.root={root / 'data'}",
            f"backbones.root={root / 'weights'}",
            f"cache={root / 'features'}",
            f"output={output}",
            "wandb.mode=disabled",
            "evaluation.limit=2",
            "model.max_new_tokens=12",
            "data.workers=0",
            "trainer.threads=1",  # tests run side by side
            "seed=5",
            *SHORT,
            *overrides,
        ],
    )


def write_foreign_clip(path, codec="libx264", sound="aac", size=(1920, 1080), seconds=1.0, rate=30, pixels="yuv420p"):
    """A file that the project's own writer did not make: a moving gradient and a tone."""
    with av.open(str(path), "w") as container:
        if codec:
            video = container.add_stream(codec, rate=rate)
            video.width, video.height, video.pix_fmt = *size, pixels
        if sound:
            audio = container.add_stream(sound, rate=48_000)
        if codec:
            ramp = np.linspace(0, 255, size[0], dtype=np.uint8)
            for index in range(int(seconds * rate)):
                picture = np.broadcast_to(np.roll(ramp, 13 * index)[None, :, None], (size[1], size[0], 3))
                for packet in video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")):
                    container.mux(packet)
            container.mux(video.encode())
        if sound:
            tone = np.sin(2 * np.pi * 220 * np.arange(int(seconds * 48_000)) / 48_000).astype(np.float32)
            resampler = av.AudioResampler(audio.format, audio.layout, audio.rate, audio.codec_context.frame_size or 960)
            frame = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
            frame.sample_rate = 48_000
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(audio.encode(piece))
            container.mux(audio.encode())
    return path


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
