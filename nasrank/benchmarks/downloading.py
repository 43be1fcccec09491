"""``nasrank data download``: the only code of the project that opens a network connection.

A file is fetched over https into a ``.part`` file, which a later call resumes, and gets its name
once its sha256 is right. A file that is there is never fetched again.
"""

import hashlib
import logging
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, BinaryIO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from nasrank.benchmarks.importers.store import data_folder
from nasrank.benchmarks.remote_files import RemoteFile
from nasrank.errors import DataError
from nasrank.version import __version__

__all__ = ["Download", "Opener", "download", "make_opener", "place_of"]

ATTEMPTS = 5
"""Attempts for one file before the user is asked to try again."""
REDIRECTIONS = 5
"""Maximum number of redirections."""
TIMEOUT_SECONDS = 30.0
"""Timeout of a server."""

_CHUNK = 2**18
_log = logging.getLogger("nasrank")


class Opener(Protocol):
    """What opens addresses; see `make_opener`."""

    def open(self, request: Request, /, *, timeout: float) -> HTTPResponse:
        """Open an address, as `urllib.request.OpenerDirector` does."""
        ...


@dataclass(frozen=True)
class Download:
    """A file in its place.

    Attributes:
        remote: Its description.
        path: Its path.
        size: Its size in bytes; 0 for a folder.
        state: ``downloaded``, ``cached`` (it was there, and its sha256 is right) or ``found`` (it
            was there, and its sha256 is not known).
    """

    remote: RemoteFile
    path: Path
    size: int
    state: str

    @property
    def command(self) -> str:
        """The next command."""
        return f"nasrank data import {self.remote.space} {shlex.quote(str(self.path))}"


def place_of(remote: RemoteFile) -> Path:
    """Return where a file belongs: ``downloads`` in the folder of imported data."""
    return data_folder() / "downloads" / remote.file


def download(
    remote: RemoteFile,
    *,
    opener: Opener | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Download:
    """Fetch a file to its place, unless it is there.

    Args:
        remote: The file.
        opener: Opens its address; https alone by default.
        on_progress: Receives the bytes fetched and those of the whole file, where known.
        pause: Waits the given number of seconds between attempts.

    Returns:
        The file, with the right sha256 where one is known.

    Raises:
        DataError: It has no plain address and is not there; the server refuses it, sends too
            much or another file, or cannot be reached; the folder cannot be written. A partial
            download of the right file is kept for the next attempt.
    """
    path = place_of(remote)
    try:
        if remote.url is None or remote.sha256 is None:
            return _by_hand(remote, path)
        if path.is_file():
            if _sha256(path) == remote.sha256:
                return Download(remote, path, path.stat().st_size, "cached")
            _log.warning("%s: its sha256 is not that of %s; fetching it", path, remote.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        transfer = _Transfer(remote, part, opener or make_opener(), on_progress, pause)
        transfer.run()
        part.replace(path)
        return Download(remote, path, path.stat().st_size, "downloaded")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}). Free some space, or set NASRANK_DATA "
            "to another folder"
        ) from error


def make_opener(schemes: tuple[str, ...] = ("https",)) -> OpenerDirector:
    """Make an opener for addresses of these schemes alone, also after redirections.

    Args:
        schemes: ``https``, and ``http`` where the server is trusted anyway.
    """
    opener = OpenerDirector()
    handlers = [ProxyHandler(), HTTPDefaultErrorHandler(), HTTPErrorProcessor(), UnknownHandler()]
    own = {"https": HTTPSHandler, "http": HTTPHandler}
    for handler in (*handlers, _Redirections(schemes), *(own[scheme]() for scheme in schemes)):
        opener.add_handler(handler)
    return opener


class _Redirections(HTTPRedirectHandler):
    max_redirections = REDIRECTIONS

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self._schemes = schemes

    def redirect_request(  # noqa: PLR0917 - the library's own signature
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if urlsplit(newurl).scheme not in self._schemes:
            raise HTTPError(req.full_url, code, "it redirects away from https", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Transfer:
    """The transfer of one file.

    Args:
        remote: The file; it has an address.
        part: Path of the partial download.
        opener: Opens its address.
        on_progress: Receives the bytes fetched, and those of the whole file.
        pause: Waits the given number of seconds.
    """

    def __init__(
        self,
        remote: RemoteFile,
        part: Path,
        opener: Opener,
        on_progress: Callable[[int, int | None], None] | None,
        pause: Callable[[float], None],
    ) -> None:
        self._remote, self._part, self._opener = remote, part, opener
        self._on_progress, self._pause = on_progress, pause

    def run(self) -> None:
        """Fetch until the file is complete and right."""
        resumed = self._have() > 0
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(min(2.0**attempt, 10.0))
            try:
                whole = self._fetch()
            except (HTTPException, URLError, TimeoutError, ConnectionError) as error:
                reason = _reason(error)
                if isinstance(error, URLError) and not isinstance(error, HTTPError):
                    break  # nothing listens there; retrying will not help
                continue
            if not whole:
                reason = "the connection ended early"
                continue
            if _sha256(self._part) == self._remote.sha256:
                return
            size = self._have()
            self._part.unlink()
            if not resumed:
                raise self._error(
                    f"its sha256 is not the known one after {size:,} bytes. The server has "
                    f"another file; see {self._remote.page}"
                )
            # The beginning may have been of another file.
            resumed, reason = False, "its sha256 was wrong"
        have = self._have()
        kept = f"{have:,} bytes are kept; resume with" if have else "Try again with"
        place = self._part.with_name(self._remote.file)
        raise self._error(
            f"{reason}. {kept}: nasrank data download {self._remote.name}, or put the file at "
            f"{place} yourself"
        )

    def _fetch(self) -> bool:
        """Fetch the rest over one connection, and say whether it was complete."""
        have = self._have()
        request = Request(str(self._remote.url))  # noqa: S310 - the opener accepts https alone
        request.add_header("User-Agent", f"nasrank/{__version__}")
        # The digest is not of a compressed answer.
        request.add_header("Accept-Encoding", "identity")
        if have:
            request.add_header("Range", f"bytes={have}-")
        try:
            response = self._opener.open(request, timeout=TIMEOUT_SECONDS)
        except HTTPError as error:
            error.close()
            if error.code == 416 and have:
                # There is nothing after what we have: the digest decides.
                return True
            if error.code in {408, 429} or error.code >= 500:
                raise
            raise self._error(f"the server answers {error.code}, {error.reason}") from error
        with response:
            if response.status != 206 or not _continues(response, have):
                # The server sends the whole file again, or another part of it.
                have = 0
                self._part.unlink(missing_ok=True)
                if response.status == 206:
                    return False
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if length.isdecimal() else None
            with self._part.open("ab") as file:
                return self._copy(response, file, have, total)

    def _copy(self, response: HTTPResponse, file: BinaryIO, have: int, total: int | None) -> bool:
        limit = self._remote.limit
        while True:
            if max(have, total or 0) > limit:
                file.close()
                self._part.unlink()
                raise self._error(f"it is larger than the {limit:,} bytes expected")
            if self._on_progress is not None:
                self._on_progress(have, total)
            chunk = _read(response)
            if not chunk:
                return total is None or have == total
            file.write(chunk)
            have += len(chunk)

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _error(self, complaint: str) -> DataError:
        return DataError(f"{self._remote.url}: {complaint}")


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except OSError as error:  # distinguished from errors of the disk
        raise ConnectionError(str(error)) from error


def _continues(response: HTTPResponse, have: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _by_hand(remote: RemoteFile, path: Path) -> Download:
    if path.exists():
        size = path.stat().st_size if path.is_file() else 0
        return Download(remote, path, size, "found")
    raise DataError(
        f"{remote.name} has no plain address. Get {remote.file} as {remote.page} says, put it at "
        f"{path}, and type: nasrank data import {remote.space} {shlex.quote(str(path))}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answers {error.code}, {error.reason}"
    cause = error.reason if isinstance(error, URLError) else error
    return f"it cannot be reached ({str(cause)[:200] or type(cause).__name__})"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
