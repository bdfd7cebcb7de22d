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
    other.set_weights(network.get_weights())
    other.get_layer("labels").bias.assign([3, 0, 0])
    with pytest.raises(ExportError, match="LiteRT and Keras differ by"):
        export.check_equal(other, model_path, [[3, 4, 5], [6]])


def test_what_litert_cannot_express_is_refused_with_the_name_of_the_layer(capfd):
    import tensorflow as tf

    class Odd(keras.layers.Layer):
        def call(self, ids):
            return tf.cast(tf.strings.length(tf.strings.as_string(ids)), tf.float32)[:, :2]

        def compute_output_shape(self, shape):
            return (shape[0], 2)

    ids = keras.Input((None,), dtype="int32")
    network = keras.Model(ids, keras.layers.Dense(2)(Odd(name="as_text")(ids)))
    message = r"cannot express AsString, StringLength.* \(the layer 'as_text', a Odd\)"
    with pytest.raises(ExportError, match=message) as caught:
        export.to_litert(network)
    assert "\n" not in str(caught.value)
    assert "error:" not in capfd.readouterr().err  # the converter's own screens of text


def test_the_temperature_is_applied_in_the_model(network, tmp_path):
    (tmp_path / "model.tflite").write_bytes(export.to_litert(network, 2.5))
    samples = [[3, 4, 5], [], [1]]
    export.check_equal(network, tmp_path / "model.tflite", samples, 2.5)
    for weights in network.get_layer("labels").weights:  # so that temperatures make a difference
        weights.assign(weights + numpy.arange(3, dtype=numpy.float32))
    (tmp_path / "warm.tflite").write_bytes(export.to_litert(network, 2.5))
    with pytest.raises(ExportError, match="LiteRT and Keras differ by"):
        export.check_equal(network, tmp_path / "warm.tflite", samples, 1.0)


def test_an_lstm_is_exported_for_one_text_at_a_time(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(30, 4, mask_zero=True)(ids)
    network = keras.Model(ids, keras.layers.Dense(2)(keras.layers.LSTM(3)(vectors)))
    path = tmp_path / "model.tflite"
    path.write_bytes(export.to_litert(network))
    assert Interpreter(model_path=str(path)).get_input_details()[0]["shape_signature"][0] == 1
    export.check_equal(network, path, [[3, 4, 5], [], list(range(2, 30))])


def test_a_network_that_minds_padding_is_refused(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    average = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(30, 4)(ids))
    network = keras.Model(ids, keras.layers.Dense(2)(average))
    network.layers[-1].kernel.assign([[9, 0]] * 4)
    path = tmp_path / "model.tflite"
    path.write_bytes(export.to_litert(network))
    with pytest.raises(
        ExportError, match=r"with more padding differ by .* let id 0 have no effect"
    ):
        export.check_equal(network, path, [[3, 4, 5], list(range(2, 30))])


def test_the_embedding_is_found_in_the_exported_model(network, model_path):
    found = export.find_embedding(network, model_path)
    assert found["dimensions"] == network.get_layer("vectors").output_dim
    assert "vectors" in found["tensor"]
