"""Export: LiteRT answers as Keras does, or the reason is named."""

import keras
import numpy
import pytest
from ai_edge_litert.interpreter import Interpreter
from classifier.training import export, model
from classifier.training.errors import ExportError
from classifier.training.settings import Settings


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return model.build(model.Statistics(numpy.ones(50), numpy.array([4, 5, 6])), Settings())


@pytest.fixture(scope="module")
def model_path(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.tflite"
    path.write_bytes(export.to_litert(network))
    return path


def test_the_signature_is_the_one_that_the_bundle_promises(model_path):
    interpreter = Interpreter(model_path=str(model_path))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["ids"], "outputs": ["probabilities"]}
    }
    [ids], [probabilities] = interpreter.get_input_details(), interpreter.get_output_details()
    assert (ids["dtype"], ids["shape_signature"].tolist()) == (numpy.int32, [-1, -1])
    assert probabilities["dtype"] == numpy.float32
    assert probabilities["shape_signature"].tolist() == [-1, 3]


def test_litert_answers_as_keras_does(network, model_path):
    export.check_equal(network, model_path, [[3, 4, 5], [], [1], list(range(2, 40))])


def test_a_model_that_answers_otherwise_is_refused(network, model_path):
    other = keras.models.clone_model(network)
    other.set_weights([weights + 1 for weights in network.get_weights()])
    with pytest.raises(ExportError, match="LiteRT and Keras differ by"):
        export.check_equal(other, model_path, [[3, 4, 5], [6]])


def test_what_litert_cannot_express_is_refused_by_name():
    import tensorflow as tf

    class Odd(keras.layers.Layer):
        def call(self, ids):
            return tf.cast(tf.strings.length(tf.strings.as_string(ids)), tf.float32)[:, :2]

        def compute_output_shape(self, shape):
            return (shape[0], 2)

    ids = keras.Input((None,), dtype="int32")
    with pytest.raises(ExportError, match="LiteRT cannot express AsString, StringLength"):
        export.to_litert(keras.Model(ids, Odd()(ids)))
