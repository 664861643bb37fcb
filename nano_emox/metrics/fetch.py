"""Download the released emotion-wheel tables, once, from their public repository at a pinned commit.

The tables are not shipped with this project: they belong to MERTools (code under Apache-2.0, its README asks for
non-commercial use). Each file is checked against a SHA-256 digest before it gets its name, so a directory that
`load_lexicon` reads holds the published bytes or nothing.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = "zeroQiaoba/MERTools"
COMMIT = "fb8dda0ebd52281f69affcbec3cc34dfd281f1ba"
SOURCE = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/MER2025/MER2025_Track23/emotion_wheel"
DIGESTS = {
    "format.csv": "ba6de7d61db8e129d1d7ef8a2aae22a9e93a2c2e3e683e6f2735d04455f016f2",
    "synonym.xlsx": "23f81f9ab1d2418aaf96775304fb5dc52c62bb5d5ef652a97471d045fc9d2e29",
    "wheel1.xlsx": "e70485d354b82a7491ff24648273182a5f4f13f92c76e6b3e4f9033f5e6afcc1",
    "wheel2.xlsx": "acc001e076a8e60440361f58dd8c05ed900c4890c84bb7d8d1df93708a7d9c87",
    "wheel3.xlsx": "d62f30bf88c17c55876634cd088eacaef98278fc25457474364439872f9dbf83",
    "wheel4.xlsx": "660260561b7fe15550f3679a01e7c783608ce3403d4c28db0a88520f68d83aea",
    "wheel5.xlsx": "2dd4595b2cf8e7628ca06a416a8e38ac831614b244f23d1ae613dc34007649f1",
}
LARGEST = 1 << 20  # bytes; the largest of the files has a tenth of it


class FetchError(OSError):
    """A file that cannot be had, or is not the published one; the message names it and says what to do."""


def fetch_wheels(folder: Path, source: str = SOURCE, *, timeout: float = 30.0) -> list[str]:
    """Put the seven files into a folder; those that are there already, and right, are not asked for again.

    Args:
        folder: made if it is missing.
        source: address of a directory that has them, over http or https: a mirror works, since the digests decide.
        timeout: seconds that the server may be silent.

    Returns:
        the names of the files that were downloaded.

    Raises:
        FetchError: no connection, no such file, or other bytes than the published ones. What was complete stays.
    """
    if urlsplit(source).scheme not in ("http", "https"):
        raise FetchError(f"{source}: the source must be an http or https address")
    folder.mkdir(parents=True, exist_ok=True)
    downloaded = []
    for name, digest in DIGESTS.items():
        target = folder / name
        if target.is_file() and _digest(target.read_bytes()) == digest:
            continue
        content = _download(f"{source.rstrip('/')}/{name}", timeout)
        if _digest(content) != digest:
            raise FetchError(
                f"{source}/{name}: SHA-256 is {_digest(content)}, expected {digest}; these are not the published wheels, "
                "nothing was kept of this file"
            )
        partial = target.with_name(f".{name}.{os.getpid()}.part")
        partial.write_bytes(content)
        partial.replace(target)
        downloaded.append(name)
    return downloaded


def _download(address: str, timeout: float) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=timeout) as response:
            content: bytes = response.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        raise FetchError(f"{address}: HTTP {error.code} {error.reason}; give another source with --from") from error
    except OSError as error:
        raise FetchError(f"{address}: {error}; without a connection, copy the files here by hand") from error
    if len(content) > LARGEST:
        raise FetchError(f"{address}: longer than {LARGEST} bytes, so it is not the published file")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
