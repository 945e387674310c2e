"""What all tests share: the default encoder, real data and a real browser where there are any, and no network."""

import os
import shutil
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Of pytest-xdist: each worker computes on one thread, or they would wait for each other. Read before numpy is imported.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# No tests of their own; several, all of one name, can't be imported for doctests.
collect_ignore_glob = ["*conftest.py"]
CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def missing(what, required_by):
    """Skip, or fail where the environment says that nothing may be skipped (as continuous integration does)."""
    if os.environ.get(required_by):
        pytest.fail(f"{what}, and {required_by} is set")
    pytest.skip(what)


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real data that the project may test on but not publish."""
    for folder in (os.environ.get("XEMBED_DATA"), ROOT.parent / "shared" / "data"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    return missing("no real data: set XEMBED_DATA", "XEMBED_REQUIRE_DATA")


@pytest.fixture(scope="session")
def wordnet_folder():
    """Return the folder of Debian's wordnet-base."""
    folder = Path("/usr/share/wordnet")
    return folder if folder.is_dir() else missing("no WordNet: install wordnet-base", "XEMBED_REQUIRE_DATA")


@pytest.fixture(scope="session")
def browser():
    """Return a headless Chromium."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        missing("no Chromium on this machine", "XEMBED_REQUIRE_BROWSER")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM_FLAGS))
        yield instance
        instance.close()


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let no test reach anything but this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep the tests' embeddings out of the user's cache, in one that all workers of a run share."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if WORKER else folder) / "xembed-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XEMBED_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def encoder():
    """Return the default encoder, loaded once; tests leave it as it is."""
    import xembed

    return xembed.load_encoder(device="cpu")
