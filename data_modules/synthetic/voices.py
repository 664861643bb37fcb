"""A voice: pulses of the vocal folds through the resonances of a mouth that shapes syllables.

Source: a closed-form pulse train exp(a (cos phase - 1)), whose harmonic k falls as exp(-k^2 / 2a), so `brightness` is
one number and nothing aliases. Filter: formants of the vowels, applied frame by frame in one batched FFT. Loudness is
not normalised: it is one of the attributes. The words are not intelligible; their syllables only pace the voice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_modules.synthetic.latents import Array, Latent, Person, generator

RATE = 16_000
FRAME, HOP = 512, 256
VOWELS = np.array(  # first three formants, hertz
    [[730, 1090, 2440], [530, 1840, 2480], [300, 2250, 2950], [570, 880, 2410], [320, 900, 2250], [500, 1400, 2450]]
)
PHRASE = 1.0  # seconds: the contour repeats with every phrase
_WINDOW = np.hanning(FRAME + 1)[:-1].astype(np.float32)
_BINS = np.fft.rfftfreq(FRAME, 1 / RATE).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Timbre:
    """What does not change in a voice: base pitch in hertz, vocal tract against the average, breath, nasality."""

    pitch: float
    tract: float
    breath: float
    nasal: float


def timbre_of(person: Person) -> Timbre:
    """The timbre that a person's seed fixes."""
    rng = generator(person.seed, "timbre")
    pitch = rng.uniform(178, 222) if person.female else rng.uniform(98, 132)
    tract = rng.uniform(1.08, 1.22) if person.female else rng.uniform(0.90, 1.04)
    return Timbre(float(pitch), float(tract), float(rng.uniform(0.01, 0.05)), float(rng.uniform(0.2, 0.8)))


def speak(timbre: Timbre, attributes: Array, seconds: float, rng: np.random.Generator) -> Array:
    """A waveform of `seconds` in [-1, 1], 16 kHz. `attributes` as `latents.VOICE_ATTRIBUTES`, (8,)."""
    pitch, spread, contour, loudness, tempo, brightness, roughness, tremor = (float(value) for value in attributes)
    samples = round(seconds * RATE)
    time = np.arange(samples, dtype=np.float32) / RATE
    starts, lengths, accents = _syllables(rng, seconds, 4.6 * 2.0 ** (0.75 * tempo))
    index = np.clip(np.searchsorted(starts, time, side="right") - 1, 0, len(starts) - 1)
    inside = (time - starts[index]) / lengths[index]  # position in the syllable
    voiced = (inside >= 0) & (inside < 0.92)
    shape = np.where(voiced, np.abs(np.sin(np.pi * np.clip(inside / 0.92, 0, 1))) ** 0.55, 0.0)

    # pitch in semitones around the person's own
    phrase = (time % PHRASE) / PHRASE
    span = 3.0 * 2.0 ** (1.1 * spread)
    semitones = (
        5.0 * pitch
        + 7.0 * contour * (phrase - 0.5)
        + span * accents[index] * (0.6 + 0.4 * np.sin(np.pi * np.clip(inside, 0, 1)))
    )
    shake = max(tremor, 0.0)
    wobble = np.sin(2 * np.pi * rng.uniform(6.0, 7.5) * time + rng.uniform(0, 6))
    semitones = semitones + 0.95 * shake * wobble
    hertz = timbre.pitch * 2.0 ** (semitones / 12)
    phase = np.cumsum(hertz) * (2 * np.pi / RATE)
    rough = max(roughness, 0.0)
    if rough > 0.05:
        slow = np.repeat(rng.standard_normal(samples // 80 + 1), 80)[:samples]
        phase = phase + 0.35 * rough * slow + 0.55 * rough * np.sin(phase / 2)  # jitter and a subharmonic

    band = 1250.0 * 2.0 ** (0.95 * brightness)  # hertz
    sharp = np.maximum((band / hertz) ** 2, 0.8)
    source = np.exp(sharp * (np.cos(phase) - 1)) * np.sqrt(sharp)
    source -= source.mean()
    source *= 1 + 0.5 * rough * np.sin(phase / 2)
    source += rng.standard_normal(samples, dtype=np.float32) * (timbre.breath + 0.10 * rough + 0.05 * max(-brightness, 0.0))
    source *= shape * (1 + 0.35 * shake * wobble)
    voice = _resonate(source.astype(np.float32), timbre, rng, index, len(starts))

    # consonants: noise at the beginning of some syllables
    hiss = np.diff(rng.standard_normal(samples + 1, dtype=np.float32))
    burst = np.exp(-(((inside - 0.02) / 0.07) ** 2)) * (rng.random(len(starts)) < 0.55)[index]
    voice = voice / (np.sqrt(np.mean(voice**2)) + 1e-6) + 0.45 * 2.0 ** (0.6 * brightness) * burst * hiss
    level = 10.0 ** ((-25.0 + 10.0 * loudness) / 20)
    floor = rng.standard_normal(samples, dtype=np.float32) * 10 ** (rng.uniform(-64, -54) / 20)
    return np.clip(level * voice + floor, -1, 1).astype(np.float32)


def _syllables(rng: np.random.Generator, seconds: float, rate: float) -> tuple[Array, Array, Array]:
    """Starts and lengths in seconds and accents in [-1, 1]; phrases are parted by short pauses."""
    count = int(np.ceil(seconds * rate)) + 2
    lengths = rng.uniform(0.75, 1.25, count) / rate
    pauses = np.where(rng.random(count) < 0.12, rng.uniform(0.5, 1.0, count) / rate, 0.0)
    starts = 0.05 + np.concatenate([[0.0], np.cumsum(lengths + pauses)[:-1]])
    accents = np.clip(rng.normal(0, 0.6, count), -1, 1)
    return starts.astype(np.float32), lengths.astype(np.float32), accents.astype(np.float32)


def _resonate(source: Array, timbre: Timbre, rng: np.random.Generator, index: NDArray[np.intp], syllables: int) -> Array:
    """Applies the vowels' formants in overlapping frames."""
    samples = len(source)
    frames = samples // HOP + 2
    padded = np.zeros((frames + 1) * HOP, np.float32)
    padded[HOP : HOP + samples] = source
    pieces = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]  # (frames, FRAME)
    vowels = VOWELS[rng.integers(len(VOWELS), size=syllables)]
    centre = np.clip(np.arange(len(pieces)) * HOP, 0, samples - 1)
    formants = (vowels[index[centre]] * timbre.tract).astype(np.float32)  # (frames, 3)
    gain = np.full((len(pieces), len(_BINS)), 0.03, np.float32)
    for k, (width, amount) in enumerate(((70.0, 1.0), (95.0, 0.75), (140.0, 0.45))):
        gain += amount / (1 + ((_BINS[None] - formants[:, k : k + 1]) / width) ** 2)
    gain += timbre.nasal * 0.4 / (1 + ((_BINS - 280) / 60) ** 2)
    filtered = np.fft.irfft(np.fft.rfft(pieces * _WINDOW, axis=1) * gain, axis=1).astype(np.float32)
    result = np.zeros((len(pieces) + 1) * HOP, np.float32)
    result[: len(pieces) * HOP] += filtered[:, :HOP].ravel()
    result[HOP:] += filtered[:, HOP:].ravel()
    return result[HOP : HOP + samples]


def voice_clip(latent: Latent, seconds: float) -> Array:
    """The waveform of a clip, (seconds * 16000,)."""
    return speak(timbre_of(latent.person), latent.voice_vector, seconds, generator(latent.seed, "audio"))
