"""`Lexicon`: which group of which wheel a word belongs to; compiled once, then a dictionary look-up per word.

`load_lexicon("builtin")` is our own (see builtin_lexicon.py); a directory is read in the released format (wheels.py).
Scores of different lexicons cannot be compared, so every lexicon has a name that results carry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nano_emox.metrics.builtin_lexicon import BUILTIN_WHEELS, builtin_tables, builtin_valences
from nano_emox.metrics.wheels import FILES, WHEELS, Edition, Groups, compile_wheels

_PUNCTUATION = re.compile(r"^[\W_]+|[\W_]+$")
_INTENSIFIERS = re.compile(
    r"^(?:(?:very|quite|slightly|somewhat|extremely|rather|really|deeply|mildly|so|a bit|a little|feeling|feels?) )+"
)


@dataclass(frozen=True)
class Lexicon:
    """Groups of words by level and wheel.

    Args:
        name: what results call it.
        wheels: names of the columns of `level1` and `level2`.
        tables: by level, from word to its group in each wheel (None: not in that wheel).
        tolerant: look words up without case, outer punctuation and intensifiers; the released tables are not tolerant.
    """

    name: str
    wheels: tuple[str, ...]
    tables: Mapping[str, Mapping[str, Groups]]
    tolerant: bool = False

    def columns(self, level: str) -> tuple[str, ...]:
        """Name the columns of a level: the wheels, or the level itself for the one-column extra levels."""
        if level not in self.tables:
            raise ValueError(f"level={level!r}: lexicon {self.name!r} has {sorted(self.tables)}")
        return self.wheels if level in ("level1", "level2") else (level,)

    def lookup(self, word: str, level: str = "level1") -> Groups | None:
        """Return a word's group in each column, or None where the word is out of vocabulary."""
        table = self.tables[level]
        word = word.lower().strip()
        groups = table.get(word)
        if groups is None and self.tolerant:
            groups = table.get(_INTENSIFIERS.sub("", _PUNCTUATION.sub("", word)))
        return groups

    def groups(self, words: Iterable[str], level: str = "level1") -> tuple[frozenset[str], ...]:
        """Return the set of groups of all words, one set for each column; unknown words are dropped.

        >>> load_lexicon("builtin").groups(["glad", "unheard-of"])[0]
        frozenset({'joy'})
        """
        found = [groups for word in words if (groups := self.lookup(word, level))]
        if not found:
            return (frozenset(),) * len(self.columns(level))
        return tuple(frozenset(group for group in column if group) for column in zip(*found, strict=True))


def load_lexicon(source: str | Path | Lexicon = "builtin", edition: Edition = "strict") -> Lexicon:
    """Load a lexicon once: `builtin`, or a directory in the released format.

    Raises:
        FileNotFoundError: the directory lacks one of the released files.
    """
    if isinstance(source, Lexicon):
        return source
    return _builtin() if source == "builtin" else _released(Path(source).resolve(), edition)


@lru_cache(maxsize=1)
def _builtin() -> Lexicon:
    return Lexicon("builtin", BUILTIN_WHEELS, builtin_tables(), tolerant=True)


@lru_cache(maxsize=4)
def _released(folder: Path, edition: Edition) -> Lexicon:
    tables = compile_wheels(folder, edition)
    content = b"".join((folder / name).read_bytes() for name in FILES)
    return Lexicon(f"{folder.name} {edition} sha256:{hashlib.sha256(content).hexdigest()[:12]}", WHEELS, tables)


def valence_of(words: Iterable[str], neutral_band: float = 0.15) -> str:
    """Map emotion words to `positive`, `negative` or `neutral` by their mean valence (Russell 1980).

    Args:
        words: emotion words; those that the built-in lexicon does not know are left out.
        neutral_band: means of at most this size are neutral, and so is a list without any known word.

    >>> valence_of(["happy", "surprised"]), valence_of(["worried"]), valence_of(["calm"])
    ('positive', 'negative', 'neutral')
    """
    lexicon = _builtin()
    valences = builtin_valences()
    known = [valences[groups[0]] for word in words if (groups := lexicon.lookup(word, "cluster")) and groups[0]]
    mean = sum(known) / len(known) if known else 0.0
    return "positive" if mean > neutral_band else "negative" if mean < -neutral_band else "neutral"
