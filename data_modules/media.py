"""The door to media: frames by time stamp and 16 kHz mono sound, decoded with PyAV; only what is needed is decoded.

Everything that can be wrong with a file comes out as a `MediaError` with a reason (see `containers.py`).
"""

from __future__ import annotations

from data_modules.containers import ABSENT as ABSENT
from data_modules.containers import MediaError as MediaError
from data_modules.containers import MediaInfo as MediaInfo
from data_modules.containers import Reason as Reason
from data_modules.containers import image_files as image_files
from data_modules.containers import probe as probe
from data_modules.containers import resolve_inside as resolve_inside
from data_modules.frames import read_frames as read_frames
from data_modules.sound import Resampler as Resampler
from data_modules.sound import cut_clips as cut_clips
from data_modules.sound import read_audio as read_audio
