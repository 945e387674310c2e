"""read_embeddings: numbers from .npy files, and nothing else."""

import io

import numpy as np
import pytest

from xembed.datasets import read_embeddings


@pytest.fixture
def save(tmp_path):
    def write(array, name="X.npy", **kwargs):
        np.save(tmp_path / name, array, **kwargs)
        return tmp_path / name

    return write


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "int8", "uint16", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_read(save, dtype, order):
    X = np.asarray(np.arange(12).reshape(4, 3) % 5, dtype=dtype, order=order)
    read = read_embeddings(save(X))
    assert read.dtype == X.dtype
    np.testing.assert_array_equal(read, X)


def test_it_is_a_read_only_map(save):
    X = read_embeddings(save(np.eye(3)))
    assert isinstance(X, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        X[0, 0] = 5


def test_python_objects(save):
    path = save(np.array([[1.0, "a"]], dtype=object), allow_pickle=True)
    message = (
        r"X.npy' holds Python objects, which can't be read safely: save it as numbers: np.save\(path, array.astype"
    )
    with pytest.raises(ValueError, match=message):
        read_embeddings(path)


@pytest.mark.parametrize("length", [7, 50, 200, 1000])
def test_cut_short(save, length):
    path = save(np.ones((50, 20)))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"X.npy' is empty, incomplete or damaged"):
        read_embeddings(path)


def test_damaged_header(save):
    path = save(np.ones((50, 20)))
    content = bytearray(path.read_bytes())
    content[10:40] = b"?" * 30
    path.write_bytes(content)
    with pytest.raises(ValueError, match="empty, incomplete or damaged"):
        read_embeddings(path)


def test_archive(tmp_path):
    np.savez(tmp_path / "X.npz", a=np.eye(2))
    with pytest.raises(ValueError, match=r"X.npz' must be a .npy file with one array. Got an archive \(.npz\)"):
        read_embeddings(tmp_path / "X.npz")


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"\x80\x04\x95"])
def test_not_a_npy_file(tmp_path, content):
    (tmp_path / "X.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"X.npy' must be a .npy file, as np.save writes it. Its first bytes are b"):
        read_embeddings(tmp_path / "X.npy")


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4)])
def test_wrong_number_of_dimensions(save, shape):
    with pytest.raises(ValueError, match=r"must hold a 2-D array of shape \(n_texts, n_dims\). Got an array of shape"):
        read_embeddings(save(np.ones(shape)))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_nothing_in_it(save, shape):
    with pytest.raises(ValueError, match=r"X.npy' is empty"):
        read_embeddings(save(np.ones(shape)))


@pytest.mark.parametrize(
    "array", [np.array([["a"]]), np.eye(2, dtype=complex), np.zeros((2, 2), dtype="datetime64[D]")]
)
def test_not_real_numbers(save, array):
    with pytest.raises(ValueError, match=r"X.npy' must hold real numbers. Got dtype"):
        read_embeddings(save(array))


def test_messages_name_the_role(save):
    with pytest.raises(ValueError, match=r"^F \('.*X.npy'\) must hold a 2-D array"):
        read_embeddings(save(np.ones(3)), name="F")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="can't be read: there is no such file"):
        read_embeddings(tmp_path / "none.npy")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        read_embeddings(tmp_path)
    with pytest.raises(
        TypeError, match=r"The 'path' parameter of read_embeddings must be a str or path-like. Got BytesIO"
    ):
        read_embeddings(io.BytesIO())
