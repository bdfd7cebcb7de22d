"""Bring your own model: a Python file with a function that returns a Keras model."""

import hashlib
import importlib.util
import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier.training.errors import ModelFileError

if TYPE_CHECKING:
    import keras

    from classifier.training.settings import Settings

DEFAULT_FUNCTION = "build"
_TINY = 1e-7


@dataclass(frozen=True)
class OwnModel:
    """Where the function stands, and the digest of its file, which belongs to the settings."""

    path: Path
    function: str
    digest: str

    @property
    def stamp(self) -> dict[str, str]:
        """What a bundle tells of it."""
        return {"file": self.path.name, "function": self.function, "sha256": self.digest}


def find(argument: str) -> OwnModel:
    """Return what `file.py` or `file.py:function` names; ModelFileError when it is not there."""
    name, colon, function = argument.rpartition(":")
    if not colon or os.sep in function or function.endswith(".py"):
        name, function = argument, DEFAULT_FUNCTION
    path = Path(name)
    if path.suffix != ".py":
        raise ModelFileError(f"{argument}: must be a Python file, as in model.py or model.py:build")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    return OwnModel(path, function, digest)


def build(
    own: OwnModel, *, vocabulary_size: int, labels: Sequence[str], settings: "Settings"
) -> "keras.Model":
    """Call the function and return its model, giving logits float32 [n, labels].

    The function is given, by name, those of these that it takes: `vocabulary_size` (ids, 0 for
    padding and 1 for unknown included), `labels` (in output order), `settings`.
    """
    offered = {"vocabulary_size": vocabulary_size, "labels": tuple(labels), "settings": settings}
    function = _load(own)
    taken = inspect.signature(function).parameters
    free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    strange = [
        name
        for name, parameter in taken.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and name not in offered
    ]
    if strange:
        raise ModelFileError(
            f"{own.path}: {own.function} wants {strange[0]!r}; it is given "
            f"{', '.join(offered)}, so give other parameters a default"
        )
    try:
        made = function(**{n: v for n, v in offered.items() if free or n in taken})
    except Exception as error:
        raise ModelFileError(_cause(own, f"{own.function} failed", error)) from error
    return _to_logits(own, made, len(labels))


def _load(own: OwnModel) -> Any:
    spec = importlib.util.spec_from_file_location("own_model", own.path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelFileError(_cause(own, "cannot be run", error)) from error
    function = getattr(module, own.function, None)
    if not callable(function):
        raise ModelFileError(
            f"{own.path}: holds no function {own.function!r}; "
            f"write one, or name yours: --model {own.path.name}:function"
        )
    return function


def _to_logits(own: OwnModel, made: Any, label_count: int) -> "keras.Model":
    """Check input and output; turn probabilities, when a softmax gives them, into logits."""
    import keras  # noqa: PLC0415 - seconds of import, only when a model is built

    if isinstance(made, keras.Sequential) and made.built:
        made = keras.Model(
            made.inputs[0], made.outputs[0], name=made.name
        )  # so that it has a graph
    # A Sequential without an Input, or a subclass, has no inputs, or none before it is called.
    if not isinstance(made, keras.Model) or len(getattr(made, "inputs", None) or []) != 1:
        raise ModelFileError(
            f"{own.path}: {own.function} must return a keras.Model made of one keras.Input "
            f"(functional, or Sequential with the Input in it), not this {type(made).__name__}"
        )
    ids = made.inputs[0]
    if tuple(ids.shape) != (None, None) or ids.dtype != "int32":
        raise ModelFileError(
            f"{own.path}: the model's input is {ids.dtype} of the shape {tuple(ids.shape)}, "
            'must be keras.Input((None,), dtype="int32")'
        )
    if len(made.outputs) != 1 or tuple(made.outputs[0].shape) != (None, label_count):
        raise ModelFileError(
            f"{own.path}: the model's output has the shape {tuple(made.outputs[0].shape)}, "
            f"must be (None, {label_count}): a number for each label"
        )
    if _ends_in_softmax(made):
        made = keras.Model(made.inputs[0], keras.ops.log(keras.ops.maximum(made.outputs[0], _TINY)))
    return made


def _ends_in_softmax(model: "keras.Model") -> bool:
    import keras  # noqa: PLC0415 - as above

    last = model.outputs[0]._keras_history.operation  # there is no public way
    if isinstance(last, keras.Model):
        return _ends_in_softmax(last)
    softmax = getattr(last, "activation", None) is keras.activations.softmax
    return softmax or type(last).__name__ == "Softmax"  # a layer and an operation have that name


def _cause(own: OwnModel, what: str, error: Exception) -> str:
    return f"{own.path}: {what}: {type(error).__name__}: {' '.join(str(error).split())}"
