"""Downloads from a server on this machine, which misbehaves on request."""

import hashlib
import shutil
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

import nasrank
from nasrank.benchmarks import downloading
from nasrank.benchmarks.downloading import download, make_opener, place_of
from nasrank.benchmarks.remote_files import REMOTE_FILES, RemoteFile, find_remote
from nasrank.errors import DataError, UsageError

CONTENT = np.random.default_rng(0).bytes(700_000)


class Server(ThreadingHTTPServer):
    """Serves `CONTENT` at every address.

    Attributes:
        asked: The range of every request so far, None for all of it.
        ranges: Whether ranges are honoured.
        cuts: After how many bytes the next answers end, one each; None for none.
        status: What is answered instead, one each.
        location: Where a redirection leads.
        announces: Whether the length is told.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.cuts, self.status = [], [], []
        self.content, self.location = CONTENT, "/file"
        self.ranges = self.announces = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if status := (server.status.pop(0) if server.status else None):
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", server.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted[len("bytes=") : -1]) if wanted and server.ranges else 0
        if start and start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.content)}")
        self.send_header(*(("Content-Length", str(len(body))) if server.announces else ("X", "x")))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0) if server.cuts else None])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "data" / "downloads"


@pytest.fixture
def remote(server):
    return RemoteFile(
        "toy",
        "toy-space",
        "toy.bin",
        "https://example.org/toy",
        "MIT",
        f"http://127.0.0.1:{server.server_port}/file",
        hashlib.sha256(CONTENT).hexdigest(),
        1_000_000,
    )


def fetch(remote, **options):
    options = {"opener": make_opener(("http", "https")), "pause": lambda _: None, **options}
    return download(remote, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_file_comes_whole_and_is_not_asked_for_again(server, remote, folder):
    told = []
    done = fetch(remote, on_progress=lambda *now: told.append(now))
    assert done.path == place_of(remote) == folder / "toy.bin"
    assert done.path.read_bytes() == CONTENT
    assert (done.state, done.size) == ("downloaded", 700_000)
    assert done.command == f"nasrank data import toy-space {done.path}"
    assert told[0] == (0, 700_000)
    assert told[-1] == (700_000, 700_000)
    assert names(folder) == ["toy.bin"]
    assert server.asked == [None]
    # Offline: whatever is opened now is one too many.
    again = fetch(remote, opener=None)
    assert (again.state, again.path) == ("cached", done.path)
    assert server.asked == [None]


def test_a_cut_connection_is_gone_on_with(server, remote):
    server.cuts = [300_000, 100_000]
    assert fetch(remote).path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=400000-"]


def test_what_arrived_before_is_gone_on_with(server, remote, folder):
    folder.mkdir(parents=True)
    (folder / "toy.bin.part").write_bytes(CONTENT[:123_456])
    told = []
    fetch(remote, on_progress=lambda *now: told.append(now))
    assert server.asked == ["bytes=123456-"]
    assert told[0] == (123_456, 700_000)
    assert names(folder) == ["toy.bin"]


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_part_that_is_the_whole_or_more(server, remote, folder, extra):
    folder.mkdir(parents=True)
    (folder / "toy.bin.part").write_bytes(CONTENT + extra)
    assert fetch(remote).path.read_bytes() == CONTENT
    assert server.asked[0] == f"bytes={700_000 + len(extra)}-"
    assert len(server.asked) == (2 if extra else 1)


def test_a_server_without_ranges_sends_all_of_it(server, remote, folder):
    server.ranges = False
    folder.mkdir(parents=True)
    (folder / "toy.bin.part").write_bytes(CONTENT[:123_456])
    assert fetch(remote).path.read_bytes() == CONTENT
    assert server.asked == ["bytes=123456-"]


def test_a_part_of_another_file_is_thrown_away(server, remote, folder):
    folder.mkdir(parents=True)
    (folder / "toy.bin.part").write_bytes(b"x" * 1000)
    assert fetch(remote).path.read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_length_that_is_not_told(server, remote):
    server.announces = False
    told = []
    assert fetch(remote, on_progress=lambda *now: told.append(now)).size == 700_000
    assert told[-1] == (700_000, None)


def test_a_wrong_digest_is_refused(server, remote, folder):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match="its sha256 is not the known one after 700,000 bytes"):
        fetch(remote)
    assert names(folder) == []
    assert server.asked == [None]


def test_a_damaged_file_is_fetched_again(remote, folder, caplog):
    folder.mkdir(parents=True)
    (folder / "toy.bin").write_bytes(b"damaged")
    assert fetch(remote).state == "downloaded"
    assert "its sha256 is not that of toy" in caplog.text
    assert (folder / "toy.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("announces", [True, False])
def test_too_large_a_file_stops(server, remote, folder, announces):
    server.announces = announces
    told = []
    with pytest.raises(DataError, match="it is larger than the 300,000 bytes expected"):
        fetch(replace(remote, limit=300_000), on_progress=lambda *now: told.append(now))
    # Where the length is told, nothing is read at all.
    assert max(have for have, _ in told or [(0, 0)]) <= (0 if announces else 300_000)
    assert names(folder) == []


def test_a_missing_file(server, remote, folder):
    server.status = [404]
    with pytest.raises(DataError, match="the server answers 404, Not Found") as caught:
        fetch(remote)
    assert "\n" not in str(caught.value)
    assert server.asked == [None]
    assert names(folder) == []


def test_a_server_that_is_busy_is_asked_again(server, remote):
    waited = []
    server.status = [503, 429, 500]
    fetch(remote, pause=waited.append)
    assert waited == [2, 4, 8]


def test_a_connection_that_is_always_cut(server, remote, folder):
    server.cuts = [1000] * 10
    kept = r"ended early. 5,000 bytes are kept; resume with: nasrank"
    with pytest.raises(DataError, match=kept):
        fetch(remote)
    assert names(folder) == ["toy.bin.part"]
    server.cuts = []
    assert fetch(remote).path.read_bytes() == CONTENT


def test_redirections_are_followed_up_to_a_limit(server, remote, folder):
    folder.mkdir(parents=True)
    (folder / "toy.bin.part").write_bytes(CONTENT[:1000])
    server.status = [302, 301, 307]
    fetch(remote)
    assert server.asked == ["bytes=1000-"] * 4
    (folder / "toy.bin").unlink()
    server.status = [302] * 20
    server.location = "/file?0"
    with pytest.raises(DataError, match="the server answers 302"):
        fetch(remote)
    assert len(server.asked) - 4 <= downloading.REDIRECTIONS + 1


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:1/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"]
)
def test_no_redirection_leads_away_from_https(server, remote, location):
    server.status, server.location = [302], location
    # As with https: the next address has to be of the kinds that are allowed.
    opener = make_opener(("http",))
    for handler in opener.handlers:
        if isinstance(handler, downloading._Redirections):
            handler._schemes = ("https",)
    with pytest.raises(DataError, match=r"answers 302, .*(away from https|not allowed)"):
        fetch(remote, opener=opener)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "file:///etc/passwd", "ftp://h/x"])
def test_only_https_is_spoken(remote, url, folder):
    with pytest.raises(DataError, match=r"it cannot be reached .unknown url type"):
        fetch(replace(remote, url=url), opener=None)
    assert names(folder) == []


def test_nobody_there_is_told_at_once(server, remote):
    waited = []

    class Deaf:
        def open(self, *_, **__):
            raise URLError(OSError("Name or service not known"))

    with pytest.raises(DataError, match=r"cannot be reached .*known\). Try again with: nasrank d"):
        fetch(remote, opener=Deaf(), pause=waited.append)
    assert waited == []
    assert server.asked == []


def test_silence_and_broken_answers_are_tried_again(remote):
    class Silent:
        def __init__(self):
            self.asked = 0

        def open(self, *_, timeout, **__):
            assert timeout == downloading.TIMEOUT_SECONDS
            self.asked += 1
            raise TimeoutError("timed out")

    silent = Silent()
    with pytest.raises(DataError, match=r"cannot be reached .timed out"):
        fetch(remote, opener=silent)
    assert silent.asked == downloading.ATTEMPTS


def test_a_folder_that_cannot_be_written(remote, folder):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")
    with pytest.raises(DataError, match=r"cannot be written .*set NASRANK_DATA to another folder"):
        fetch(remote)


def test_a_full_disk_is_no_broken_connection(server, remote, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloading._Transfer, "_copy", full)
    with pytest.raises(DataError, match=r"cannot be written .No space left on device"):
        fetch(remote)
    assert server.asked == [None]


def test_what_has_no_plain_address_is_got_by_hand(folder):
    remote = find_remote("transnas-micro")
    path = folder / remote.file
    with pytest.raises(DataError) as caught:
        download(remote)
    for words in (remote.page, str(path), f"nasrank data import transnas-micro {path}"):
        assert words in str(caught.value)
    assert not folder.exists()
    folder.mkdir(parents=True)
    path.write_bytes(b"x")
    done = download(remote)
    assert (done.state, done.path, done.size) == ("found", path, 1)


def test_names():
    assert find_remote("nb101").name == "nb101-only108"
    assert find_remote("nb101-full").file == "nasbench_full.tfrecord"
    assert find_remote("nb201").space == "nb201"
    with pytest.raises(UsageError, match="analog came with nasrank"):
        find_remote("analog")
    with pytest.raises(UsageError, match="Did you mean 'macro'"):
        find_remote("marco")


@pytest.mark.parametrize("remote", REMOTE_FILES, ids=lambda remote: remote.name)
def test_every_source_is_complete(remote):
    assert remote.page.startswith("https://")
    assert Path(remote.file).name == remote.file
    assert (remote.url is None) == (remote.sha256 is None) == (remote.limit == 0)
    if remote.url is not None:
        assert remote.url.startswith("https://")
        assert remote.url.endswith(f"/{remote.file}")
        assert len(bytes.fromhex(remote.sha256)) == 32


def test_a_real_file_is_the_known_one(shared_data, folder):
    folder.mkdir(parents=True)
    remote = find_remote("macro")
    shutil.copy(shared_data / "formats" / remote.file, folder)
    assert download(remote, opener=None).state == "cached"


def test_nothing_else_opens_connections():
    root = Path(nasrank.__file__).parent
    network = ("urllib.request", "http.client", "socket", "requests", "ssl", "ftplib", "aiohttp")
    users = {
        path.name
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.lstrip().startswith(("import ", "from ")) and line.split()[1].startswith(network)
    }
    assert users == {"downloading.py"}
