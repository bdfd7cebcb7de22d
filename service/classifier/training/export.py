"""From a fitted network to a LiteRT model that gives the same answers, or a clear refusal."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from classifier.card import TERM_NAMES
from classifier.serving.predict import padded_length
from classifier.training.embedding import tensor_values
from classifier.training.errors import ExportError
from classifier.training.model import VECTORS_LAYER, Terms

TOLERANCE = 1e-4
_OP_NAME = re.compile(r"\b(?:tf|custom)\.(\w+)")
_SMALL_BITS = 0.02  # what a weight may be off, as a share of the greatest, kept in 8 bits
_NO_EMBEDDING = {"tensor": "", "dimensions": 0}


def to_litert(network: keras.Model, temperature: float = 1.0) -> bytes:
    """Return the network, temperature and softmax included, as a LiteRT model of builtins only.

    What LiteRT cannot express for any number of texts at once, such as an LSTM, is exported for
    one: serving asks text by text. ExportError names the layer that it cannot express at all.
    """
    try:
        return _convert_somehow(network, temperature)
    except _ConversionError as error:
        names = sorted(set(_OP_NAME.findall(str(error)))) or ["what it does"]
        raise ExportError(
            f"LiteRT cannot express {', '.join(names)}{_culprit(network, [])}; "
            "use other layers for it"
        ) from error


def find_embedding(network: keras.Model, model_path: Path) -> dict[str, str | int]:
    """Return which tensor of the exported model holds a vector for each id, as a bundle says it.

    Of several embeddings the one named `vectors` counts, or else the widest. The default network
    has one vector for each word, and none for pairs and pieces.
    """
    tables = [
        (layer.name == VECTORS_LAYER, layer.output_dim, layer.get_weights()[0])
        for layer in network.layers
        if isinstance(layer, keras.layers.Embedding) and layer.output_dim > 1
    ]
    tables += [
        (True, layer.vectors.shape[1], layer.vectors.numpy())
        for layer in network.layers
        if isinstance(layer, Terms)
    ]
    if not tables:
        return _NO_EMBEDDING
    _, dimensions, wanted = max(tables, key=lambda table: table[:2])
    name = _find_tensor(Interpreter(model_path=str(model_path), num_threads=1), wanted)
    return {"tensor": name, "dimensions": dimensions} if name else _NO_EMBEDDING


def find_terms(network: keras.Model, model_path: Path) -> dict[str, str]:
    """Return which tensors of the exported model hold what the default network is made of.

    All are "" for any other network: what its answers are made of is not a sum over ids.
    """
    interpreter = Interpreter(model_path=str(model_path), num_threads=1)
    for layer in network.layers:
        if isinstance(layer, Terms):
            return {name: _find_tensor(interpreter, layer.values[name]) for name in TERM_NAMES}
    return dict.fromkeys(TERM_NAMES, "")


def _find_tensor(interpreter: Interpreter, wanted: numpy.ndarray) -> str:
    """Return the name of the constant that holds `wanted`, or about that; "" when none does."""
    for tensor in interpreter.get_tensor_details():
        if tuple(tensor["shape"]) != wanted.shape:
            continue
        with contextlib.suppress(ValueError):  # a tensor that only holds something while running
            values = tensor_values(interpreter, tensor)
            if numpy.abs(values - wanted).max() <= _SMALL_BITS * numpy.abs(wanted).max():
                return tensor["name"]
    return ""


def check_equal(
    network: keras.Model, model_path: Path, samples: list[list[int]], temperature: float = 1.0
) -> None:
    """Compare LiteRT with Keras on `samples` of ids: alone, together, and padded more.

    ExportError says how they differ, and from which layer on.
    """
    longest = _longest(samples)
    batch = _padded(samples, longest)
    expected = _answers(network, batch, temperature)
    _compare(
        expected,
        _answers(network, _padded(samples, longest + 7), temperature),
        "Keras and Keras with more padding",
        f"{len(samples)} texts; let id 0 have no effect (mask it)",
    )
    try:
        _check_litert(expected, model_path.read_bytes(), samples)
    except ExportError as error:
        raise ExportError(f"{error}{_culprit(network, samples)}; use other layers") from error


def _check_litert(expected: numpy.ndarray, model: bytes, samples: list[list[int]]) -> None:
    """Compare what LiteRT makes of `samples`, alone and together, with `expected` [n, labels]."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    together = interpreter.get_input_details()[0]["shape_signature"][0] == -1
    longest = _longest(samples)
    if together:
        what = f"{len(samples)} texts of {longest} ids"
        batch = _padded(samples, longest)
        _compare(expected, _run(interpreter, batch), "LiteRT and Keras", what)
    for ids, wanted in zip(samples, expected, strict=True):
        alone = _padded([ids], padded_length(len(ids), longest))
        what = f"one text of {len(ids)} ids"
        _compare(wanted[None], _run(interpreter, alone), "LiteRT and Keras", what)


class _ConversionError(Exception):
    """The converter gave up; its whole story is the message."""


def _convert_somehow(network: keras.Model, temperature: float) -> bytes:
    """Convert for any number of texts at once, or else for one."""
    try:
        return _convert(network, None, temperature)
    except _ConversionError:
        return _convert(network, 1, temperature)


def _convert(network: keras.Model, texts: int | None, temperature: float) -> bytes:
    @tf.function(input_signature=[tf.TensorSpec([texts, None], tf.int32, name="ids")])
    def probabilities(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(network(ids, training=False) / temperature)}

    # The converter turns those variables into constants that it finds on a module of its own kind.
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    with _quiet() as said:
        try:
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [probabilities.get_concrete_function()], holder
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            return converter.convert()
        except Exception as error:
            said.seek(0)
            raise _ConversionError(f"{error} {said.read().decode(errors='replace')}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[tempfile.SpooledTemporaryFile]:
    """Keep what the converter's C++ side writes to stderr, screens of it when it fails."""
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(real, 2)
            os.close(real)


def _culprit(network: keras.Model, samples: list[list[int]]) -> str:
    """Name the first layer up to which the network cannot be exported; "" when none is it.

    With `samples` of ids, LiteRT must also answer them as Keras does.
    """
    for operation in network.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        # Taken together to one number for each text: nothing after this layer takes part.
        values = keras.ops.cast(operation.output, "float32")
        rest = tuple(range(1, len(values.shape)))
        numbers = keras.ops.mean(values, axis=rest, keepdims=True) if rest else values
        numbers = keras.ops.reshape(numbers, (-1, 1))
        part = keras.Model(network.inputs[0], keras.ops.concatenate([numbers, -numbers], axis=1))
        try:
            model = _convert_somehow(part, 1.0)
            if samples:
                expected = _answers(part, _padded(samples, _longest(samples)), 1.0)
                _check_litert(expected, model, samples)
        except (_ConversionError, ExportError):
            return f" (the layer {operation.name!r}, a {type(operation).__name__})"
    return ""


def _answers(network: keras.Model, batch: numpy.ndarray, temperature: float) -> numpy.ndarray:
    return tf.nn.softmax(network(batch, training=False) / temperature).numpy()


def _longest(samples: list[list[int]]) -> int:
    return padded_length(max(map(len, samples)), 2**31 - 1)


def _padded(samples: list[list[int]], length: int) -> numpy.ndarray:
    batch = numpy.zeros((len(samples), length), numpy.int32)
    for row, ids in zip(batch, samples, strict=True):
        row[: len(ids)] = ids
    return batch


def _run(interpreter: Interpreter, ids: numpy.ndarray) -> numpy.ndarray:
    place = interpreter.get_input_details()[0]["index"]
    try:
        interpreter.resize_tensor_input(place, ids.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, ids)
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        cause = str(error).strip().splitlines()[0]
        raise ExportError(f"LiteRT cannot run a text of {ids.shape[1]} ids: {cause}") from error
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _compare(expected: numpy.ndarray, found: numpy.ndarray, which: str, what: str) -> None:
    if expected.shape != found.shape:
        raise ExportError(f"{which} give {found.shape} and {expected.shape} for {what}")
    difference = float(numpy.abs(expected - found).max())
    if not difference <= TOLERANCE:  # also when it is no number
        raise ExportError(f"{which} differ by {difference:.2g} on {what}")
