"""Files are trusted only with their hash; nothing half-written is ever trusted."""

import contextlib
import hashlib
import http.server
import multiprocessing
import threading
import time
from typing import ClassVar

import pytest

from medlib.data import catalogue, store
from medlib.data.catalogue import Dataset, File
from medlib.data.errors import CorruptData, DataError, DataUnavailable

CONTENT = b"a hundred patients" * 1000
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer as the path asks for: whole, cut, broken off, wrong, slow, 404 or 500."""

    requests: ClassVar[list[str]] = []

    def do_GET(self):
        Handler.requests.append(self.path)
        kind = self.path.strip("/").split(".")[0]
        if kind in ("404", "500"):
            self.send_error(int(kind))
            return
        if kind == "hang":
            time.sleep(3)
        body = b"something else" if kind == "wrong" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[: len(body) // 2] if kind == "cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Handler.requests = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """Give every test its own cache, no mirror, no retries and no memory of hosts."""
    monkeypatch.setenv("MEDLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MEDLIB_DATA_DIR", raising=False)
    monkeypatch.setattr(store, "RETRIES", 0)
    monkeypatch.setattr(store, "_reachable", {})
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def dataset() -> Dataset:
    entry = catalogue.CATALOGUE["breastmnist"]
    return Dataset(**{**vars(entry), "folder": "sample"})


def file(server, kind="whole", hashes=(("official file", SHA256),)):
    return File(f"{kind}.bin", f"{server}/{kind}.bin", hashes)


def cached(tmp_path):
    return [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_download_is_verified_kept_and_not_repeated(server, tmp_path, capfd):
    found = store.obtain(dataset(), file(server))
    assert found.path.read_bytes() == CONTENT
    assert (found.copy, found.sha256) == ("official file", SHA256[7:])
    assert "100%" in capfd.readouterr().err, "a progress bar was shown"
    store.obtain(dataset(), file(server))
    assert len(Handler.requests) == 1
    assert cached(tmp_path) == [found.path]


def test_the_mirror_comes_before_the_network(server, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "sample").mkdir(parents=True)
    (mirror / "sample" / "whole.bin").write_bytes(CONTENT)
    monkeypatch.setenv("MEDLIB_DATA_DIR", str(mirror))
    found = store.obtain(dataset(), file(server))
    assert found.path.is_relative_to(mirror) and Handler.requests == []


def test_another_accepted_copy_is_named(tmp_path):
    path = tmp_path / "copy.bin"
    path.write_bytes(CONTENT)
    copies = (("official file", "md5:" + "0" * 32), ("re-packed", SHA256))
    assert store.verify(path, File("copy.bin", "", copies)).copy == "re-packed"


def test_a_wrong_file_in_the_mirror_is_named_not_replaced(
    server, tmp_path, monkeypatch
):
    path = tmp_path / "sample" / "whole.bin"
    path.parent.mkdir()
    path.write_bytes(b"tampered")
    monkeypatch.setenv("MEDLIB_DATA_DIR", str(tmp_path))
    with pytest.raises(CorruptData, match=r"whole\.bin is not the file.*Delete it"):
        store.obtain(dataset(), file(server))
    assert Handler.requests == []


def test_a_spoilt_cache_is_downloaded_again(server, tmp_path):
    path = tmp_path / "cache" / "sample" / "whole.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:100])
    assert store.obtain(dataset(), file(server)).path.read_bytes() == CONTENT


def test_a_spoilt_cache_without_a_network_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "is_reachable", lambda _: False)
    path = tmp_path / "cache" / "sample" / "whole.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:100])
    with pytest.raises(CorruptData, match=r"whole\.bin is not the file"):
        store.obtain(dataset(), file("http://127.0.0.1:9"))


@pytest.mark.parametrize("kind", ["cut", "404", "500"])
def test_a_failed_download_leaves_nothing(server, tmp_path, kind):
    with pytest.raises(DataUnavailable, match=rf"{kind}\.bin could not be downloaded"):
        store.obtain(dataset(), file(server, kind))
    assert cached(tmp_path) == []


def test_a_server_that_hangs_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "READ_SECONDS", 0.3)
    with pytest.raises(DataUnavailable, match=r"hang\.bin could not be downloaded"):
        store.obtain(dataset(), file(server, "hang"))
    assert cached(tmp_path) == []


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    with pytest.raises(CorruptData, match=r"is not wrong\.bin.*Nothing was kept"):
        store.obtain(dataset(), file(server, "wrong"))
    assert cached(tmp_path) == []


def test_a_retry_mends_a_single_failure(server, monkeypatch):
    monkeypatch.setattr(store, "RETRIES", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    failures = [True]
    original = Handler.do_GET

    def flaky(self):
        if failures:
            failures.pop()
            self.send_error(500)
        else:
            original(self)

    monkeypatch.setattr(Handler, "do_GET", flaky)
    assert store.obtain(dataset(), file(server)).path.read_bytes() == CONTENT


def test_no_network_is_said_with_every_remedy(monkeypatch):
    monkeypatch.setattr(store, "is_reachable", lambda _: False)
    with pytest.raises(DataUnavailable) as error:
        store.obtain(dataset(), file("https://example.invalid"))
    for word in ("whole.bin", "MEDLIB_DATA_DIR", "source='practice'"):
        assert word in str(error.value)


def test_a_blocked_name_lookup_ends_at_the_deadline(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(store, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(
        "socket.create_connection",
        lambda *_, **__: released.wait(30) and contextlib.nullcontext(),
    )
    assert store.PROBE_SECONDS < 5
    assert not store.is_reachable("https://blocked.example/file")
    assert not released.is_set(), "the probe was still waiting when we went on"
    released.set()


def test_what_was_found_out_about_a_host_is_remembered(monkeypatch):
    asked = []

    def refuse(address, timeout):
        asked.append(address)
        raise OSError

    monkeypatch.setattr("socket.create_connection", refuse)
    assert not store.is_reachable("https://a.example/1")
    assert not store.is_reachable("https://a.example/2")
    assert asked == [("a.example", 443)]


def test_a_proxy_is_what_has_to_be_reachable(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    asked = []

    def refuse(address, timeout):
        asked.append(address)
        raise OSError

    monkeypatch.setattr("socket.create_connection", refuse)
    store.is_reachable("https://a.example/1")
    assert asked == [("proxy.example", 3128)]


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path, monkeypatch):
    # A file where the folder should be: refused for root too, unlike permissions.
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("MEDLIB_CACHE_DIR", str(tmp_path / "occupied"))
    with pytest.raises(DataError, match=r"cannot be written.*MEDLIB_CACHE_DIR"):
        store.obtain(dataset(), file(server))


def test_a_full_disk_is_named_and_leaves_nothing(server, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.move", full)
    with pytest.raises(DataError, match="the disk is full"):
        store.obtain(dataset(), file(server))
    assert cached(tmp_path) == []


def obtain_in_process(address, cache, start):
    import os

    os.environ["MEDLIB_CACHE_DIR"] = cache
    start.wait()
    store.obtain(dataset(), file(address))


def test_two_processes_may_download_at_once(server, tmp_path):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    arguments = (server, str(tmp_path / "cache"), start)
    both = [context.Process(target=obtain_in_process, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    start.set()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert [path.read_bytes() for path in cached(tmp_path)] == [CONTENT]


def test_download_all_reports_what_failed(monkeypatch, capsys):
    from medlib.data.__main__ import main

    monkeypatch.setattr(store, "is_reachable", lambda _: False)
    assert main(["breastmnist"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
