"""What the model gets to see and hear of a clip: decoded media, or the stored features of frozen towers.

Both are callables from a sample to tensors, so a data module takes either and a test can compare them. A modality that
a clip does not have is left out of the dictionary; it is not filled with zeros.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol

from torch import Tensor

from data_modules.features import ContentKeys, FeatureSpace
from data_modules.media import ABSENT, MediaError, Reason, Resampler, cut_clips, read_audio, read_frames
from data_modules.record import Sample

SEEN = frozenset({"visual", "face", "fusion"})  # modalities made from frames
HEARD = frozenset({"speech", "fusion"})  # modalities made from clips


class InputReader(Protocol):
    """Sample to tensors, see `record.Item`. Raises `MediaError` where the clip cannot be used."""

    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        """The tensors of one sample."""


class MediaInputs:
    """Decodes `frames` (frames, 3, size, size) uint8 and `clips` (clips, 16000 * seconds) float32.

    Args:
        frames: how many, uniformly spaced.
        size: of a frame, in pixels.
        clips: of sound, how many.
        seconds: of one clip.
        modalities: of `visual face speech fusion text`; what none of them needs is not decoded.
        spread: of the clips over the recording, see `sound.cut_clips`.
        resampler: of sound that is not at 16 kHz, see `sound.read_audio`.

    Raises:
        MediaError: from a call: the clip cannot be read, or has none of the modalities.
    """

    def __init__(
        self,
        frames: int = 8,
        size: int = 224,
        clips: int = 8,
        seconds: float = 2.0,
        modalities: Collection[str] = ("visual", "face", "speech", "fusion"),
        spread: Literal["end", "released"] = "end",
        resampler: Resampler = "torchaudio",
    ) -> None:
        self.frames, self.size, self.clips, self.seconds = frames, size, clips, seconds
        self.sees = bool(SEEN.intersection(modalities))
        self.hears = bool(HEARD.intersection(modalities))
        self.spread: Literal["end", "released"] = spread
        self.resampler: Resampler = resampler

    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        inputs: dict[str, Tensor] = {}
        lacks: MediaError | None = None
        if self.sees:
            try:
                inputs["frames"] = self.read_frames(sample)
            except MediaError as error:
                lacks = _absent(error)
        if self.hears:
            try:
                inputs["clips"] = self.read_clips(sample)
            except MediaError as error:
                lacks = _absent(error)
        if lacks is not None and not inputs:
            raise lacks
        return inputs

    def read_frames(self, sample: Sample) -> Tensor:
        """(frames, 3, size, size) uint8; `MediaError` with `no_video` where there is none."""
        if sample.media.video is None:
            raise MediaError(str(sample.media.audio), Reason.NO_VIDEO, f"{sample.dataset}/{sample.id} is sound only")
        return read_frames(sample.media.video, self.frames, self.size, span=sample.media.span, crop=sample.media.crop)

    def read_clips(self, sample: Sample) -> Tensor:
        """(clips, samples) float32; `MediaError` with `no_audio` where there is none."""
        media = sample.media
        path = media.audio or media.video
        assert path is not None
        if path.is_dir():
            raise MediaError(path, Reason.NO_AUDIO, "a directory of images has no sound")
        waveform = read_audio(path, span=media.span if media.audio is None else None, resampler=self.resampler)
        return cut_clips(waveform, self.clips, self.seconds, spread=self.spread)

    def recipe(self, medium: str) -> str:
        """What decides the values of `frames` or `clips`, as text: a part of a feature's address."""
        if medium == "frames":
            return f"frames={self.frames} size={self.size} scaler=bicubic"
        resampler = "" if self.resampler == "torchaudio" else f" resampler={self.resampler}"
        return f"clips={self.clips} seconds={self.seconds} rate=16000 spread={self.spread}{resampler}"


class NotExtracted(LookupError):
    """More clips than may be skipped are not in the feature store; the message has the numbers, and what fills it."""


class StoredFeatures:
    """Reads features instead of media.

    Args:
        spaces: of the towers, e.g. `{"visual": store.space("visual", fingerprint), "speech": ...}`.
        keys: addresses of clips; give one with a cache file, so that files are not read again to find their features.
        unreadable: why extraction could not read a clip, by address: its `MediaError` has that reason.
        max_missing: the fraction of samples that `prepare` may find without features, beside the unreadable ones; None is
            any number, and each is reported, or raised, when it is drawn.

    Raises:
        MediaError: from a call: `not_extracted`, or the clip has none of the towers' modalities.
    """

    def __init__(
        self,
        spaces: Mapping[str, FeatureSpace],
        keys: ContentKeys | None = None,
        unreadable: Mapping[str, str] = MappingProxyType({}),
        max_missing: float | None = None,
    ) -> None:
        self.spaces = dict(spaces)
        self.keys = keys if keys is not None else ContentKeys()
        self.unreadable, self.max_missing = dict(unreadable), max_missing

    def __call__(self, sample: Sample) -> dict[str, Tensor]:
        key = self.keys(sample.media)
        path = sample.media.video or sample.media.audio
        assert path is not None
        features: dict[str, Tensor] = {}
        for tower, space in self.spaces.items():
            if key not in space:
                if key in self.unreadable:
                    hint = f"{sample.dataset}/{sample.id} could not be read when features were extracted"
                    raise MediaError(path, Reason(self.unreadable[key]), hint)
                hint = f"{tower}: {sample.dataset}/{sample.id} is not in {space.directory}; run `make features`"
                raise MediaError(path, Reason.NOT_EXTRACTED, hint)
            features |= space.read(key)
        if self.spaces and not features:
            raise MediaError(path, Reason.NO_VIDEO, f"{sample.dataset}/{sample.id} has none of {sorted(self.spaces)}")
        return features

    def prepare(self, samples: Iterable[Sample]) -> None:
        """Find the addresses of all samples, and compare the shards that hold them, here once instead of in every worker.

        Raises:
            DamagedShard: a shard is not what was written.
            NotExtracted: more samples than `max_missing` allows have no features.
        """
        found = []
        for sample in samples:
            try:
                found.append(self.keys(sample.media))
            except MediaError:
                continue  # it will be reported, or raised, when the sample is drawn
        self.keys.save()
        for space in self.spaces.values():
            space.refresh()
        missing = sum(any(key not in s for s in self.spaces.values()) and key not in self.unreadable for key in found)
        if self.max_missing is not None and missing > self.max_missing * len(found):
            where = next(iter(self.spaces.values())).directory.parent
            raise NotExtracted(
                f"{missing} of {len(found)} clips are not in the feature store {where};"
                " `make features` or `nano-emox features`, with the same settings, extracts them"
            )
        for space in self.spaces.values():
            space.require(set(found))


def _absent(error: MediaError) -> MediaError:
    if error.reason in ABSENT:
        return error
    raise error
