"""Find the real files: in the cache, in ``MEDLIB_DATA_DIR``, or by downloading them.

Nothing is trusted without its hash. Downloads go through `pooch`: it writes beside the
final place, checks the hash and renames, so that a file in the cache is always whole.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import socket
import threading
import urllib.parse
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path

import requests

with warnings.catch_warnings():
    # pooch looks for notebook widgets and warns where there are none.
    warnings.filterwarnings("ignore", message="IProgress not found")
    import pooch

from medlib.data.catalogue import Dataset, File
from medlib.data.errors import CorruptData, DataError, DataUnavailable

PROBE_SECONDS = 4.0  # how long to wait before a host counts as out of reach
CONNECT_SECONDS, READ_SECONDS = 4.0, 30.0
RETRIES = 2

_reachable: dict[str, bool] = {}
pooch.get_logger().setLevel(logging.WARNING)


@dataclass(frozen=True)
class Obtained:
    """A verified file on this machine: its path, which copy it is, its SHA-256."""

    path: Path
    copy: str
    sha256: str


def cache_dir() -> Path:
    """Return the folder of downloaded data: ``MEDLIB_CACHE_DIR`` or the system's."""
    named = os.environ.get("MEDLIB_CACHE_DIR")
    return Path(named) if named else Path(pooch.os_cache("medlib"))


def mirror_dir() -> Path | None:
    """Return the read-only mirror that ``MEDLIB_DATA_DIR`` names, if it does."""
    named = os.environ.get("MEDLIB_DATA_DIR")
    return Path(named) if named else None


def verify(path: Path, file: File) -> Obtained:
    """Check a file against the hashes the catalogue accepts.

    Raises
    ------
    CorruptData
        If the content is none of the accepted copies; the message names the file.
    """
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if not file.hashes:
        return Obtained(path, "checked by its content", sha256)
    for copy, expected in file.hashes:
        algorithm, digest = expected.split(":")
        if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() == digest:
            return Obtained(path, copy, sha256)
    raise CorruptData(
        f"{path} is not the file it should be: its SHA-256 is {sha256[:12]}…, and "
        f"{file.hashes[0][1][:19]}… was expected ({len(content)} bytes). Delete it and "
        "load again, or fetch it anew from " + file.address
    )


def obtain(dataset: Dataset, file: File) -> Obtained:
    """Return a verified file, downloading it if it is not on this machine.

    Raises
    ------
    DataUnavailable
        If the file is not here and its host cannot be reached.
    CorruptData
        If the mirror's file, or what the host sends, has the wrong content.
    DataError
        If the cache cannot be written.
    """
    relative = Path(dataset.folder) / file.name
    cached = cache_dir() / relative
    spoilt: CorruptData | None = None
    if cached.is_file():
        try:
            return verify(cached, file)
        except CorruptData as error:
            spoilt = error
    mirror = mirror_dir()
    if mirror is not None and (mirror / relative).is_file():
        return verify(mirror / relative, file)
    if not is_reachable(file.address):
        if spoilt is not None:
            raise spoilt
        host = urllib.parse.urlsplit(file.address).netloc
        raise DataUnavailable(
            f"{file.name} is not on this machine and {host} cannot be reached. Connect "
            "to the network, or set MEDLIB_DATA_DIR to a folder that holds "
            f"{relative.as_posix()}, or ask for the practice set (source='practice')."
        )
    return download(file, cached)


def is_reachable(address: str) -> bool:
    """Tell within five seconds whether a host answers; remember it for the process.

    The probe runs in a thread of its own, because looking up a name without a network
    can block for far longer than any timeout of the connection itself.
    """
    parts = urllib.parse.urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443, 80)[parts.scheme == "http"]
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        through = urllib.parse.urlsplit(proxy)
        host, port = through.hostname or "", through.port or 80
    key = f"{host}:{port}"
    if key not in _reachable:
        answered = threading.Event()

        def probe() -> None:
            try:
                with socket.create_connection((host, port), timeout=PROBE_SECONDS):
                    answered.set()
            except OSError:
                pass

        thread = threading.Thread(target=probe, daemon=True)
        thread.start()
        thread.join(PROBE_SECONDS)
        _reachable[key] = answered.is_set()
    return _reachable[key]


def download(file: File, target: Path) -> Obtained:
    """Download a file to its place in the cache and verify it.

    Two processes may do so at once: each writes a file of its own beside the target
    and renames it, so that the later one replaces the same content.

    Raises
    ------
    DataUnavailable
        If the host does not deliver; a later run starts afresh.
    CorruptData
        If what arrives has the wrong hash.
    DataError
        If the cache cannot be written.
    """
    expected = file.hashes[0][1] if file.hashes else None
    source = pooch.create(
        path=target.parent,
        base_url="",
        registry={target.name: expected},
        urls={target.name: file.address},
        retry_if_failed=RETRIES,
    )
    fetcher = pooch.HTTPDownloader(
        progressbar=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return verify(Path(source.fetch(target.name, downloader=fetcher)), file)
    except requests.exceptions.RequestException as error:
        raise DataUnavailable(
            f"{file.name} could not be downloaded from {file.address}: {error}. "
            "Nothing was kept; try again, or ask for the practice set "
            "(source='practice')."
        ) from error
    except ValueError as error:  # pooch: the hash of what arrived is wrong
        raise CorruptData(
            f"what {file.address} sent is not {file.name}: {error} Nothing was kept. "
            "If it happens again, the publisher may have changed the file: report it."
        ) from error
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        raise DataError(
            f"{target} cannot be written: {reason}. Free space or give access, or set "
            "MEDLIB_CACHE_DIR to another folder."
        ) from error
