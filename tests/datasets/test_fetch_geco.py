"""Downloading GECO from a server on this machine: whole or not at all, once, and never anything else."""

import hashlib
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from xembed.datasets import _geco
from xembed.datasets._geco import COMMIT, SHA256, URL, VARIANTS, fetch_geco

FILES = {name: f"{name}\n".encode() * 500 for name in SHA256}


class Server:
    """What is served, and what was asked for; `broken` maps a name to what is wrong with it."""

    def __init__(self):
        self.asked, self.broken = [], {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.removeprefix("/data/")
                outer.asked.append(name)
                body, wrong = FILES.get(name), outer.broken.get(name)
                if body is None or wrong == "missing":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:-1] + b"!" if wrong == "changed" else body[: 700 if wrong == "cut" else None])

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data/"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(_geco, "SHA256", {name: hashlib.sha256(body).hexdigest() for name, body in FILES.items()})
    served = Server()
    thread = threading.Thread(target=served.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.http.shutdown()
    served.http.server_close()
    thread.join()


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_fetched_once(server, tmp_path, capfd):
    folder = fetch_geco(url=server.url, cache_dir=tmp_path)
    assert files_in(folder) == FILES
    assert sorted(server.asked) == sorted(FILES)
    assert fetch_geco(url=server.url, cache_dir=tmp_path) == folder
    assert len(server.asked) == len(FILES)
    assert COMMIT.startswith(folder.name)
    assert capfd.readouterr() == ("", "")


def test_one_variant(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XEMBED_CACHE", str(tmp_path / "cache"))
    folder = fetch_geco("binary_gender_subj", url=server.url.rstrip("/"))
    assert folder.is_relative_to(tmp_path / "cache")
    assert set(files_in(folder)) == {"binary_gender_subj/train.jsonl", "binary_gender_subj/test.jsonl"}


def test_a_damaged_file_of_the_cache_is_fetched_again(server, tmp_path):
    folder = fetch_geco("binary_gender_all", url=server.url, cache_dir=tmp_path)
    (folder / "binary_gender_all" / "test.jsonl").write_bytes(b"damaged")
    fetch_geco("binary_gender_all", url=server.url, cache_dir=tmp_path)
    assert server.asked[2:] == ["binary_gender_all/test.jsonl"]
    assert files_in(folder)["binary_gender_all/test.jsonl"] == FILES["binary_gender_all/test.jsonl"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ("changed", ValueError, "must be the file with the SHA-256 {sha}. Got another one, of which nothing was kept"),
        ("missing", OSError, "can't be fetched: 404 Client Error"),
        ("cut", OSError, "can't be fetched: "),
    ],
)
def test_what_goes_wrong_leaves_nothing_behind(server, tmp_path, wrong, error, message):
    name = "binary_gender_all/test.jsonl"
    server.broken[name] = wrong
    level = pooch.get_logger().level
    with pytest.raises(error, match=re.escape(message.format(sha=_geco.SHA256[name]))) as caught:
        fetch_geco("binary_gender_all", url=server.url, cache_dir=tmp_path)
    assert server.url + name in str(caught.value)
    assert pooch.get_logger().level == level
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["train.jsonl"]  # the one that was whole
    server.broken.clear()
    assert len(files_in(fetch_geco("binary_gender_all", url=server.url, cache_dir=tmp_path))) == 2


def test_no_server(tmp_path, server):
    port = server.http.server_port
    server.http.server_close()
    with pytest.raises(OSError, match="can't be fetched: "):
        fetch_geco("binary_gender_all", url=f"http://127.0.0.1:{port}/data", cache_dir=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_log_of_pooch_is_as_before(server, tmp_path):
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        fetch_geco("binary_gender_all", url=server.url, cache_dir=tmp_path)
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)


def test_a_progress_bar_if_asked_for(server, tmp_path, capfd):
    fetch_geco("binary_gender_all", url=server.url, cache_dir=tmp_path, progress=True)
    assert "100%" in capfd.readouterr().err


def test_the_fourth_variant_is_not_fetched(tmp_path, server):
    with pytest.raises(ValueError, match="can't verify the files of 'non_binary_gender_subj'"):
        fetch_geco("non_binary_gender_subj", url=server.url, cache_dir=tmp_path)
    assert not server.asked and not list(tmp_path.iterdir())


def test_bad_parameters(tmp_path):
    with pytest.raises(ValueError, match=r"The 'variant' parameter of fetch_geco must be one of .* Got 'all'"):
        fetch_geco("all")
    with pytest.raises(ValueError, match=r"The 'url' parameter of fetch_geco must be an address .* Got 'ftp://x'"):
        fetch_geco(url="ftp://x", cache_dir=tmp_path)
    with pytest.raises(TypeError, match="The 'progress' parameter of fetch_geco"):
        fetch_geco(progress="yes", cache_dir=tmp_path)


def test_what_is_pinned_is_what_was_checked(real_data):
    assert re.fullmatch("[0-9a-f]{40}", COMMIT) and COMMIT in URL
    assert set(VARIANTS) == {"binary_gender_all", "binary_gender_subj", "non_binary_gender_all"}
    for name, sha256 in SHA256.items():
        assert hashlib.sha256((real_data / "geco" / name).read_bytes()).hexdigest() == sha256
