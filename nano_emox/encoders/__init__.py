"""The three frozen towers: `VisualEncoder`, `SpeechEncoder`, `FacialEncoder`."""

from nano_emox.encoders.facial import FacialEncoder
from nano_emox.encoders.frozen import FrozenEncoder
from nano_emox.encoders.speech import SpeechEncoder
from nano_emox.encoders.visual import VisualEncoder

__all__ = ["FacialEncoder", "FrozenEncoder", "SpeechEncoder", "VisualEncoder"]
