"""Saving and loading: the same bits, and nothing but what was saved."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from xembed import transforms
from xembed.isotropy import AllButTheTop, ClusterIsotropy, ICAProjection, Standardize, Whitening, load_correction
from xembed.reports._bibliography import work
from xembed.transforms import load_transform

CORRECTIONS = [
    Standardize(),
    AllButTheTop(n_components=np.int64(3)),
    Whitening("zca", power=0.5, shrinkage="ledoit_wolf"),
    Whitening(n_components=4, shrinkage=1 / 3),
    ClusterIsotropy(n_clusters=3, random_state=np.random.RandomState(0)),
    ICAProjection(n_components=5, scale=np.float32(0.1)),
]
every_correction = pytest.mark.parametrize("correction", CORRECTIONS, ids=lambda c: type(c).__name__)


def sample(n=200, d=7, seed=0):
    rng = np.random.default_rng(seed)
    return np.insert(rng.laplace(size=(n, d)) @ rng.normal(size=(d, d)), 2, 0.1, axis=1)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "correction.safetensors"
    Whitening().fit(sample()).save(path)
    return path


def parts(path):
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return load(content), json.loads(header["__metadata__"]["xembed"])


def write(path, arrays, about):
    path.write_bytes(save(arrays, {"xembed": json.dumps(about)}))


@every_correction
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loaded_corrections_give_the_same_bits(correction, dtype, tmp_path):
    X = sample().astype(dtype)
    fitted = clone(correction).fit(X)
    fitted.save(tmp_path / "a")
    loaded = load_correction(tmp_path / "a")
    assert type(loaded) is type(fitted)
    assert loaded.transform(X).tobytes() == fitted.transform(X).tobytes()
    described = fitted.describe()
    if isinstance(fitted, ClusterIsotropy):  # the generator is not kept
        described["parameters"]["random_state"] = None
    assert loaded.describe() == described
    assert loaded.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()
    expected = {name for name in vars(fitted) if name.endswith("_")}
    assert {name for name in vars(loaded) if name.endswith("_")} == expected
    loaded.save(tmp_path / "b")
    fitted.save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert loaded.fit(X).transform(X).shape == fitted.transform(X).shape


def test_feature_names_are_kept(tmp_path):
    X = pd.DataFrame(sample(), columns=[f"größe {i}" for i in range(8)])
    Standardize().fit(X).save(tmp_path / "a")
    loaded = load_correction(str(tmp_path / "a"))
    assert loaded.get_feature_names_out().tolist() == list(X.columns)
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(X.rename(columns=str.upper))


def test_what_can_not_be_saved(tmp_path):
    class Own(Standardize):
        pass

    with pytest.raises(NotFittedError):
        Standardize().save(tmp_path / "a")
    with pytest.raises(TypeError, match=r"Only transforms of xembed can be saved, .* Got .*Own instead"):
        Own().fit(sample()).save(tmp_path / "a")
    with pytest.raises(ValueError, match="'power' parameter"):
        Whitening().fit(sample()).set_params(power=7).save(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        Standardize().fit(sample()).save(tmp_path / "nowhere" / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*args):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no space"):
        Standardize().fit(sample()).save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_correction(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        load_correction(tmp_path)
    with pytest.raises(TypeError):
        load_correction(None)


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_file_that_is_cut_off(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    AllButTheTop().fit(sample()).save(folder / "a")
    content = (folder / "a").read_bytes()
    (folder / "a").write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ValueError, match=r"'.*a' must be a file that the save method of a transform wrote"):
        load_correction(folder / "a")


@given(content=st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_foreign_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("foreign") / "a"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must be a file that the save method"):
        load_correction(path)


@given(position=st.integers(0, 2000), value=st.integers(0, 255))
@settings(max_examples=50, deadline=None)
def test_a_changed_byte_is_an_error_of_the_documented_kind_or_a_correction(tmp_path_factory, position, value):
    path = tmp_path_factory.mktemp("changed") / "a"
    Whitening().fit(sample()).save(path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] = value
    path.write_bytes(content)
    try:
        assert isinstance(load_correction(path), Whitening)
    except ValueError as error:
        assert "must be a file that the save method of a transform wrote" in str(error)


def test_foreign_files(tmp_path, saved):
    path = tmp_path / "other"
    path.write_bytes(save({"weight": np.eye(2)}))
    with pytest.raises(ValueError, match="It can't be read: it holds something else"):
        load_correction(path)
    path.write_bytes(save({"weight": np.eye(2)}, {"xembed": "{"}))
    with pytest.raises(ValueError, match="its description is not JSON"):
        load_correction(path)
    path.write_bytes(save({"weight": np.eye(2)}, {"xembed": "[" * 100_000}))
    with pytest.raises(ValueError, match="its description is not JSON"):
        load_correction(path)
    path.write_bytes(save({"weight": np.eye(2, dtype=np.float16)}, {"xembed": "{}"}))
    with pytest.raises(ValueError, match="it holds numbers of the type F16"):
        load_correction(path)
    path.write_bytes(b"\x80\x04N.")  # a pickle
    with pytest.raises(ValueError, match="it is damaged, cut off or of another kind"):
        load_correction(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "xembed.correction/9"}, r"its format is 'xembed.correction/9', and this version of xembed reads"),
        ({"class": "os.system"}, "its class is 'os.system', which is none of those that this version"),
        ({"class": "Correction"}, "its class is 'Correction', which is none of"),
        ({"class": "Transform"}, "its class is 'Transform', which is none of"),
        ({"class": "_Projection"}, "its class is '_Projection', which is none of"),
        ({"class": "wrap"}, "its class is 'wrap', which is none of"),
        ({"class": ["Whitening"]}, "its class is"),
        ({"class": "Standardize"}, "its parameters are not those of Standardize"),
        ({"class": None}, "its class is None"),
        ({"parameters": {"method": "pca"}}, "its parameters are not those of Whitening"),
        ({"parameters": None}, "its parameters are not those of Whitening"),
        ({"fitted": {"rank_": 3}}, "what it holds is not what Whitening learns"),
        ({"fitted": {"rank_": -1, "n_samples_fit_": 200, "shrinkage_": 0.0}}, "its rank_ is -1"),
        ({"fitted": {"rank_": 7, "n_samples_fit_": True, "shrinkage_": 0.0}}, "its n_samples_fit_ is True"),
        ({"fitted": {"rank_": 7, "n_samples_fit_": 200, "shrinkage_": "x"}}, "its shrinkage_ is 'x'"),
        ({"fitted": {"rank_": 7, "n_samples_fit_": 200, "shrinkage_": float("nan")}}, "its shrinkage_ is nan"),
        ({"n_features_in": 0}, "its n_features_in is 0"),
        ({"n_features_in": 7}, r"its \w+ has the shape .*, which does not fit to the rest"),
        ({"n_features_in": 8.0}, "its n_features_in is 8.0"),
        ({"feature_names_in": ["a"]}, "its feature_names_in are not one string a dimension"),
        ({"feature_names_in": [1] * 8}, "its feature_names_in are not one string a dimension"),
    ],
)
def test_changed_descriptions(saved, change, match):
    arrays, about = parts(saved)
    write(saved, arrays, about | change)
    with pytest.raises(ValueError, match=match):
        load_correction(saved)


@pytest.mark.parametrize(
    ("parameter", "value", "match"),
    [
        ("method", "__import__('os')", "'method' parameter of Whitening"),
        ("method", ["pca"], "'method' parameter of Whitening"),
        ("power", "x", "'power' parameter of Whitening"),
        ("n_components", {}, "'n_components' parameter of Whitening"),
    ],
)
def test_changed_parameters(saved, parameter, value, match):
    arrays, about = parts(saved)
    about["parameters"][parameter] = value
    write(saved, arrays, about)
    with pytest.raises(ValueError, match=match):
        load_correction(saved)


@pytest.mark.parametrize("key", ["class", "parameters", "fitted", "n_features_in"])
def test_missing_descriptions(saved, key):
    arrays, about = parts(saved)
    del about[key]
    write(saved, arrays, about)
    with pytest.raises(ValueError, match=f"It can't be read: it lacks '{key}'"):
        load_correction(saved)


@pytest.mark.parametrize(
    ("name", "array", "match"),
    [
        ("mean_", np.zeros(7), r"its mean_ has the shape \(7,\), which does not fit"),
        ("mean_", np.zeros((8, 1)), r"its mean_ has the shape \(8, 1\)"),
        ("mean_", np.zeros(8, np.int64), "its mean_ is of the type int64"),
        ("mean_", np.full(8, np.nan), "its mean_ is not finite"),
        ("projection_", np.full((8, 8), np.inf), "its projection_ is not finite"),
        ("dead_dimensions_", np.array([8]), "its dead_dimensions_ are none of its dimensions"),
        ("dead_dimensions_", np.array([1.0]), "its dead_dimensions_ is of the type float64"),
        ("extra", np.zeros(1), "what it holds is not what Whitening learns"),
    ],
)
def test_changed_arrays(saved, name, array, match):
    arrays, about = parts(saved)
    write(saved, arrays | {name: array}, about)
    with pytest.raises(ValueError, match=match):
        load_correction(saved)


def test_number_of_clusters_has_to_fit(tmp_path):
    path = tmp_path / "a"
    ClusterIsotropy(n_clusters=2).fit(sample()).save(path)
    arrays, about = parts(path)
    about["fitted"]["n_clusters_"] = 3
    write(path, arrays, about)
    with pytest.raises(ValueError, match="which does not fit to the rest"):
        load_correction(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Standardize", [0.34637020680390085, 0.8793916622870981, 2.9, 0.9501787385363949, 2.4000094300607286]),
        ("AllButTheTop", [-0.43637715879535866, 1.956592196690262, 2.9, 1.6735792595026449, 5.818621820629032]),
        ("Whitening", [-0.4872371682604396, 2.4219301779153617, 3.0813760980010123, 1.8015774981754924,
                       3.501594404262707]),
        ("ClusterIsotropy", [0.25908214256015505, 2.9519525218377085, 2.9, 1.767730340405377, 4.996717157635492]),
        ("ICAProjection", [187.07094866016706, 138.23430651648167, 436.49735117256046, 602.6212968012953, 0.0]),
    ],
)  # fmt: skip
def test_files_of_the_first_edition_are_read_and_written_alike(name, expected, tmp_path):
    path = Path(__file__).parent / "first_edition" / f"{name}.safetensors"
    loaded = load_transform(path)
    assert type(loaded).__name__ == name and loaded.n_samples_fit_ == 50
    np.testing.assert_allclose(loaded.transform([[1.0, 2.0, 3.0, 4.0, 5.0]])[0], expected, rtol=1e-12, atol=1e-12)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_file_is_read_before_any_class_was_asked_for():
    path = Path(__file__).parent / "first_edition" / "Whitening.safetensors"
    code = f"from xembed.transforms import load_transform; print(load_transform({str(path)!r}))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "Whitening(method='zca', shrinkage='ledoit_wolf')\n"


def test_every_public_transform_says_what_it_is():
    kinds = [getattr(transforms, name) for name in dir(transforms)]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, transforms.Transform)]
    assert {kind.__name__ for kind in kinds} == {
        "Transform",
        *(type(known).__name__ for known in CORRECTIONS),
    }
    for kind in kinds:
        if kind is not transforms.Transform:
            assert kind.label and kind.meaning.endswith(".")
            assert all(work(key).short in kind.meaning for key in kind.cites)
