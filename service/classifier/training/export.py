"""From a fitted network to a LiteRT model that gives the same answers, or a clear refusal."""

import re
from pathlib import Path

import keras
import numpy
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from classifier.training.errors import ExportError

TOLERANCE = 1e-4
_OP_NAME = re.compile(r"\b(?:tf|custom)\.(\w+)")


def to_litert(network: keras.Model) -> bytes:
    """Return the network, softmax included, as a LiteRT model of builtin operations only."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name="ids")])
    def probabilities(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(network(ids, training=False))}

    # The converter turns those variables into constants that it finds on a module of its own kind.
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [probabilities.get_concrete_function()], holder
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return converter.convert()
    except Exception as error:
        names = sorted(set(_OP_NAME.findall(str(error)))) or [type(error).__name__]
        raise ExportError(
            f"LiteRT cannot express {', '.join(names)}; use other layers for it"
        ) from error


def check_equal(network: keras.Model, model_path: Path, samples: list[list[int]]) -> None:
    """Compare LiteRT with Keras on `samples` of ids: alone, as one batch, padded more."""
    interpreter = Interpreter(model_path=str(model_path), num_threads=1)
    longest = max(map(len, samples))
    for length in (longest, longest + 7):
        batch = numpy.zeros((len(samples), length), numpy.int32)
        for row, ids in zip(batch, samples, strict=True):
            row[: len(ids)] = ids
        expected = tf.nn.softmax(network(batch, training=False)).numpy()
        _compare(expected, _run(interpreter, batch), f"{len(samples)} texts of {length} ids")
    for ids, wanted in zip(samples, expected, strict=True):
        alone = numpy.array([ids or [0]], numpy.int32)
        _compare(wanted[None], _run(interpreter, alone), f"one text of {len(ids)} ids")


def _run(interpreter: Interpreter, ids: numpy.ndarray) -> numpy.ndarray:
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, ids.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, ids)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _compare(expected: numpy.ndarray, found: numpy.ndarray, what: str) -> None:
    if expected.shape != found.shape:
        raise ExportError(f"LiteRT gives {found.shape} for {what}, Keras {expected.shape}")
    difference = float(numpy.abs(expected - found).max())
    if not difference <= TOLERANCE:  # also when it is no number
        raise ExportError(f"LiteRT and Keras differ by {difference:.2g} on {what}")
