"""Downloading the official files of GECO, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xembed._core.validation import check_option, shows_progress
from xembed.datasets._geco import CLASSES, SPLITS
from xembed.encoders._cache import cache_folder

# The last commit that changed these files, as far as a public index shows; the checksums are of the files at f0907c6,
# the state that the benchmark was checked against. Were the pin wrong, the checksums would say so.
COMMIT = "ec5b95052c88d2da3e35df30b38b2cb39fa8cf04"
URL = f"https://raw.githubusercontent.com/braindatalab/gecobench/{COMMIT}/data/dataset"
SHA256 = {
    "binary_gender_all/train.jsonl": "2763003165719d26ef66503ef3943b782a77e4ef9741098a8e18ad1592ad0df9",
    "binary_gender_all/test.jsonl": "60f4f84ec5aa1d23eba47bec31e2e22b8c78557a2b28314549ab832d99960edd",
    "binary_gender_subj/train.jsonl": "590549986d54f2a7d5e49e2bcd66473e0ce79d53879960751c9e39395115f066",
    "binary_gender_subj/test.jsonl": "0ff41288c3691acc46a6df62a4fab407703e2c5a7a8e09f6cd71b3a679869d79",
    "non_binary_gender_all/train.jsonl": "ef1b972be4c3485027db7ead0df5dfeb4a4082e61a642c0da9d2eb7724ac8849",
    "non_binary_gender_all/test.jsonl": "08d5803e7b6aed5d3f894127a9f88b93ee3e9e35245e261444c68cb5bf57fdb6",
}
VARIANTS = tuple(dict.fromkeys(name.partition("/")[0] for name in SHA256))
_NOT_FETCHED = tuple(variant for variant in CLASSES if variant not in VARIANTS)


def fetch_geco(
    variant: str | None = None,
    *,
    url: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> Path:
    """Download the official files of GECO [1]_, once, and return the folder that `load_geco` reads.

    This is one of the few functions of xembed that use the network. Files are taken from a fixed state of the
    repository and checked against their SHA-256. The fourth variant, ``non_binary_gender_subj``, is not fetched: there
    is no verified checksum for it. `load_geco` reads it from a copy of the repository.

    Parameters
    ----------
    variant : {'binary_gender_all', 'binary_gender_subj', 'non_binary_gender_all'}, optional
        Variant to fetch, train and test; by default all three.
    url : str, optional
        Address of the folder that holds the variants on a mirror, instead of GitHub. It must serve the same files.
    cache_dir : path-like, optional
        Folder to keep them in. By default the folder of the environment variable ``XEMBED_CACHE``, else the user's
        cache folder of the operating system.
    progress : bool, optional
        Whether to show a progress bar. By default if the standard error stream is a terminal.

    Returns
    -------
    Path
        The folder. Files that are there and right are not fetched again.

    Raises
    ------
    OSError
        If a file can't be fetched or written. Files are there whole or not at all.
    ValueError
        If there is no such variant, it can't be verified, or what came is not the expected file.

    Notes
    -----
    The repository has a BSD-3-Clause license; the sentences derive from Wikipedia (CC BY-SA).

    References
    ----------
    .. [1] R. Wilming et al. "GECOBench: A Gender-Controlled Text Dataset and Benchmark for Quantifying Biases in
           Explanations". arXiv:2406.11547, 2024. https://github.com/braindatalab/gecobench

    Examples
    --------
    >>> from xembed.datasets import fetch_geco, load_geco
    >>> folder = fetch_geco("binary_gender_all")  # doctest: +SKIP
    >>> load_geco(folder, split="test")  # doctest: +SKIP
    PairedSentences('GECO binary_gender_all test': 644 rows of 322 sentences, female / male)
    """
    if variant in _NOT_FETCHED:
        raise ValueError(
            f"fetch_geco can't verify the files of {variant!r}, since their checksums are not known. Download them "
            "from https://github.com/braindatalab/gecobench (data/dataset) and read them with load_geco."
        )
    variants = VARIANTS if variant is None else (check_option(variant, VARIANTS, name="variant", caller="fetch_geco"),)
    base = URL if url is None else url
    if not isinstance(base, str) or not base.startswith(("https://", "http://")):
        raise ValueError(
            f"The 'url' parameter of fetch_geco must be an address that starts with https:// or http://. Got {base!r}."
        )
    show = shows_progress(progress, caller="fetch_geco")
    folder = cache_folder(cache_dir) / "geco" / COMMIT[:12]
    for name in (f"{folder_name}/{split}.jsonl" for folder_name in variants for split in SPLITS):
        _fetch(f"{base.rstrip('/')}/{name}", folder / name, SHA256[name], progress=show)
    return folder


def _fetch(url: str, target: Path, sha256: str, *, progress: bool) -> None:
    import pooch
    import requests

    try:
        with _quiet(pooch.get_logger()):
            # pooch writes beside the target and gives it its name only if the checksum is right.
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256}",
                fname=target.name,
                path=target.parent,
                downloader=pooch.HTTPDownloader(progressbar=progress),
            )
    except requests.exceptions.RequestException as error:
        raise OSError(
            f"{url!r} can't be fetched: {error}. Nothing was kept of it. Try again, or give a mirror with url=..."
        ) from error
    except ValueError:
        raise ValueError(
            f"{url!r} must be the file with the SHA-256 {sha256}. Got another one, of which nothing was kept: "
            "the download was damaged, or what is there has changed."
        ) from None


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch from writing a line a file to the standard error stream."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
