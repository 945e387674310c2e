"""Files are written whole or not at all, together or not at all, and in the manner of the file that they replace."""

import os
import resource
import signal
import stat
import threading
import time

import children
import numpy as np
import pytest

from xembed._core import files
from xembed._core.files import atomic_write, check_not_read, check_writable, new_folder, sweep, write_together

PAIR = ("page.html", "page.json")


def write(path, content=b"new"):
    with atomic_write(path) as file:
        file.write(content)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return [(folder / name).read_bytes() if (folder / name).exists() else None for name in PAIR]


# ---- what is replaced


def test_links_stay_and_permissions_too(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "private.csv"
    real.write_bytes(b"old")
    real.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(real, 12345, 23456)
    (tmp_path / "link.csv").symlink_to(real)
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "elsewhere" / "later.csv")
    for name in ("link.csv", "dangling.csv"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink() and (tmp_path / name).read_bytes() == b"new"
    assert real.read_bytes() == b"new" and stat.S_IMODE(real.stat().st_mode) == 0o600
    if os.geteuid() == 0:
        assert (real.stat().st_uid, real.stat().st_gid) == (12345, 23456)
    assert names(tmp_path / "elsewhere") == ["later.csv", "private.csv"]


@pytest.mark.parametrize("length", [245, 255])
def test_long_names_are_possible_as_long_as_the_file_system_takes_them(tmp_path, length):
    name = "é" * 100 + "x" * (length - 204) + ".csv"
    write(tmp_path / name)
    assert names(tmp_path) == [name]
    with pytest.raises(OSError, match=r"can't be written: its name has more than 255 bytes. Give a shorter one"):
        check_writable(tmp_path / ("x" * 252 + ".csv"))


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", "/dev/null"):
        with pytest.raises(OSError, match=r"can't be written: it is a device or a pipe. Give the path of a file"):
            check_writable(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_is_protected_is_refused(tmp_path):
    (tmp_path / "a.csv").touch(mode=0o400)
    with pytest.raises(PermissionError, match=r"a.csv' can't be written: no permission to change it"):
        write(tmp_path / "a.csv")


def test_a_deleted_working_directory_is_said(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError, match=r"'a.csv' can't be written: the working directory was deleted"):
        write("a.csv")


def _on_a_small_disk(path, save):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with atomic_write(path) as file:
            save(file)
    except OSError as error:
        (path.parent / "said").write_text(str(error))


def _save_array(file):
    np.save(file, np.zeros(5000))


def _save_bytes(file):
    file.write(b"x" * 5000)


@pytest.mark.parametrize("save", [_save_array, _save_bytes])
def test_a_full_disk_is_said_with_the_name_of_the_file(tmp_path, save):
    children.start(_on_a_small_disk, tmp_path / "X.npy", save).join()
    assert (tmp_path / "said").read_text().startswith(f"'{tmp_path / 'X.npy'}' can't be written: ")
    assert names(tmp_path) == ["said"]


def test_an_input_is_found_behind_every_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for path in (tmp_path / "in.csv", tmp_path / "model" / "config.json"):
        path.write_text("x")
    os.link("in.csv", "hard.csv")
    (tmp_path / "soft.csv").symlink_to("in.csv")
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    for output in ("in.csv", "./in.csv", tmp_path / "in.csv", "hard.csv", "soft.csv", "folder/in.csv"):
        with pytest.raises(ValueError, match=r"^'in.csv' would be overwritten by the output .*: it is an input"):
            check_not_read([files.Path("other.csv"), files.Path(output)], [None, "in.csv"])
    with pytest.raises(ValueError, match=r"^'model' would be overwritten"):
        check_not_read([files.Path("folder/model/config.json")], ["model"])
    check_not_read([files.Path("model/new.html"), files.Path("new.csv")], ["in.csv", "model", "org/model", 3])


# ---- together or not at all


@pytest.mark.parametrize("old", [b"old", None])
@pytest.mark.parametrize("links", [True, False])
def test_when_the_second_name_fails_the_first_file_is_put_back(tmp_path, monkeypatch, old, links):
    if old:
        for name in PAIR:
            (tmp_path / name).write_bytes(old)
    take, link = files._take_name, os.link

    def fail(piece, **options):
        if piece.target.name == PAIR[1]:
            raise OSError(5, "Input/output error")
        take(piece, **options)

    def no_link(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files, "_take_name", fail)
    monkeypatch.setattr(os, "link", link if links else no_link)
    with pytest.raises(OSError, match="Input/output error"):
        write_together({tmp_path / name: b"new" for name in PAIR})
    assert contents(tmp_path) == [old, old] and len(names(tmp_path)) == (2 if old else 0)


def test_what_may_be_replaced_is_asked_when_the_files_take_their_names(tmp_path):
    def refuse(path):
        raise FileExistsError(path.name)

    write_together({tmp_path / name: b"old" for name in PAIR}, check=refuse)
    (tmp_path / PAIR[0]).unlink()
    with pytest.raises(FileExistsError, match=PAIR[1]):
        write_together({tmp_path / name: b"new" for name in PAIR}, check=refuse)
    assert contents(tmp_path) == [None, b"old"]


def _die_at(folder, function, n):
    """Write, and be killed at the n-th call of a function of the operating system."""
    original, calls = getattr(os, function), []

    def maybe_die(*arguments, **options):
        calls.append(arguments)
        if len(calls) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(os, function, maybe_die)
    write_together({folder / name: b"new" for name in PAIR})


@pytest.mark.parametrize("old", [b"old", None])
@pytest.mark.parametrize("function", ["link", "replace", "rename", "unlink", "chmod", "close"])
def test_killed_at_any_step_leaves_both_old_or_both_new(tmp_path, function, old):
    killed, ends = 0, set()
    for n in range(1, 40):
        folder = tmp_path / str(n)
        folder.mkdir()
        for name in PAIR if old else ():
            (folder / name).write_bytes(old)
        process = children.start(_die_at, folder, function, n)
        process.join()
        if process.exitcode == 0:
            break
        killed += 1
        write(folder / "another")  # the next write into the folder
        both = contents(folder)
        assert both in ([old, old], [b"new", b"new"]), (function, n)
        assert names(folder) == sorted({"another", *(PAIR if both[0] else ())}), (function, n)
        ends.add(both[0])
    assert process.exitcode == 0 and (killed or (function, old) == ("replace", None))
    if (function, old) in {("replace", b"old"), ("link", None)}:  # killed between the two names
        assert ends == {old, b"new"}


def test_what_has_changed_since_the_kill_is_left_as_it_is(tmp_path):
    for name in PAIR:
        (tmp_path / name).write_bytes(b"old")
    children.start(_die_at, tmp_path, "replace", 2).join()
    assert contents(tmp_path) == [b"new", b"old"]  # between the two names
    write_by_hand = tmp_path / "by_hand"
    write_by_hand.write_bytes(b"by hand")
    write_by_hand.replace(tmp_path / PAIR[1])
    sweep(tmp_path)
    assert contents(tmp_path) == [b"new", b"by hand"] and names(tmp_path) == list(PAIR)


def _write_again_and_again(folder, barrier, content):
    for _ in range(30):
        barrier.wait()
        write_together({folder / name: content for name in PAIR})
        barrier.wait()
        assert len(set(contents(folder))) == 1
    (folder / content.decode()).touch()


def test_two_writers_of_the_same_files_at_once(tmp_path):
    import multiprocessing

    barrier = multiprocessing.get_context("fork").Barrier(2)
    writers = [children.start(_write_again_and_again, tmp_path, barrier, content) for content in (b"one", b"two")]
    for writer in writers:
        writer.join()
    assert names(tmp_path) == sorted([*PAIR, "one", "two"])


def test_threads_write_into_one_folder(tmp_path):
    threads = [threading.Thread(target=write, args=(tmp_path / f"{n % 3}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == ["0", "1", "2"]


# ---- leftovers


def _hold(folder, pipe, kind):
    if kind == "file":
        with atomic_write(folder / "slow") as file:
            file.write(b"slow")
            pipe.send("begun")
            pipe.recv()
    else:
        with new_folder(folder / "slow") as temporary:
            (temporary / ".tmpA1b2C3").write_bytes(b"as safetensors does")
            pipe.send("begun")
            pipe.recv()


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("next_write", [lambda f: write(f / "new"), lambda f: write_together({f / "new": b"x"}), sweep])
def test_leftovers_of_the_killed_are_swept_and_files_of_the_living_are_not(tmp_path, kind, next_write):
    ours, theirs = children.pipe()
    process = children.start(_hold, tmp_path, theirs, kind)
    assert ours.recv() == "begun"
    (tmp_path / ".xembed-notes.part").write_text("not of this pattern")
    for _ in range(3):
        next_write(tmp_path)
    assert sum(files.is_leftover(name) for name in names(tmp_path)) == 1
    children.kill(process)
    files._next_sweep.clear()  # how long ago the folder was looked through does not matter here
    next_write(tmp_path)
    assert [name for name in names(tmp_path) if name != "new"] == [".xembed-notes.part"]


def test_a_slow_writer_ends_well_beside_others(tmp_path):
    ours, theirs = children.pipe()
    process = children.start(_hold, tmp_path, theirs, "file")
    assert ours.recv() == "begun"
    for _ in range(5):
        files._next_sweep.clear()
        write(tmp_path / "new")
    ours.send("end")
    process.join()
    assert names(tmp_path) == ["new", "slow"]


def test_files_of_a_new_folder_can_be_read_by_whom_the_umask_lets(tmp_path):
    old = os.umask(0o027)
    try:
        with new_folder(tmp_path / "model") as temporary:
            (temporary / "weights").touch(mode=0o600)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "model" / "weights").stat().st_mode) == 0o640


def test_files_in_a_new_folder_wait_for_no_lock(tmp_path):
    began = time.monotonic()
    with new_folder(tmp_path / "model") as folder:
        for name in ("a.json", "b.json"):
            with atomic_write(folder / name) as file:
                file.write(b"{}")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["a.json", "b.json"]
    assert time.monotonic() - began < 5  # a lock that is held elsewhere is waited for twice as long
