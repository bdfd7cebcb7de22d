"""Export: LiteRT answers as Keras does, or the reason is named."""

import keras
import numpy
import pytest
from ai_edge_litert.interpreter import Interpreter
from classifier.card import TERM_NAMES
from classifier.training import export, model
from classifier.training.errors import ExportError
from classifier.training.linear import Linear, Weighting
from classifier.training.settings import Settings
from scipy import sparse


@pytest.fixture(scope="module")
def network():
    return whole_network(3)


def whole_network(labels, dimensions=16, ids=50, words_end=30):
    """The default network with random numbers in it."""
    dice = numpy.random.default_rng(labels)
    point = dice.normal(size=(ids + 1, labels)).astype(numpy.float32)
    squares = dice.uniform(1, 9, ids).astype(numpy.float32)
    point[:2], squares[:2] = 0, 0
    shapes = (words_end, dimensions), (dimensions, labels), (labels,)
    words = model.Words(*(dice.normal(size=shape).astype(numpy.float32) for shape in shapes))
    rows = sparse.identity(ids, format="csr", dtype=numpy.float32)
    weighting = Weighting(rows, squares, squares > 0)
    return model.combine(Linear(point[:-1], point[-1], point), words, weighting, Settings())


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
    other = whole_network(3)
    other.get_layer("terms").bias.assign([3, 0, 0])
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


@pytest.mark.parametrize(
    "call",
    [
        lambda tf, x: tf.math.lgamma(x * x + 1.0),
        lambda tf, x: tf.math.real(tf.signal.fft(tf.cast(x, tf.complex64))),
    ],
    ids=["lgamma", "fft"],
)
def test_what_litert_takes_and_then_cannot_do_is_refused_with_the_name_of_the_layer(tmp_path, call):
    import tensorflow as tf

    class Odd(keras.layers.Layer):
        def call(self, values):
            return call(tf, values)

        def compute_output_shape(self, shape):
            return shape

    ids = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(30, 8, mask_zero=True)(ids)
    odd = Odd(name="odd")(keras.layers.GlobalAveragePooling1D()(vectors))
    network = keras.Model(ids, keras.layers.Dense(2)(keras.layers.Dense(4)(odd)))
    path = tmp_path / "model.tflite"
    path.write_bytes(export.to_litert(network))
    samples = [list(range(2, 2 + length)) for length in range(1, 16)]
    with pytest.raises(ExportError, match=r"LiteRT .* \(the layer 'odd', a Odd\)") as caught:
        export.check_equal(network, path, samples)
    assert "\n" not in str(caught.value)


def test_the_temperature_is_applied_in_the_model(network, tmp_path):
    (tmp_path / "model.tflite").write_bytes(export.to_litert(network, 2.5))
    samples = [[3, 4, 5], [], [1]]
    export.check_equal(network, tmp_path / "model.tflite", samples, 2.5)
    with pytest.raises(ExportError, match="LiteRT and Keras differ by"):
        export.check_equal(network, tmp_path / "model.tflite", samples, 1.0)


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
    assert found["dimensions"] == 16
    wanted = network.get_layer("terms").vectors.numpy()
    assert tensor_of(model_path, found["tensor"]) == pytest.approx(wanted, rel=0.02, abs=0.02)


def tensor_of(path, name):
    interpreter = Interpreter(model_path=str(path))
    [tensor] = [each for each in interpreter.get_tensor_details() if each["name"] == name]
    return interpreter.get_tensor(tensor["index"])


@pytest.mark.parametrize("labels", [2, 3, 16, 30, 50])
def test_the_terms_are_found_in_the_exported_model(labels, tmp_path):
    """Also where tables of different meaning have the same shape."""
    network, path = whole_network(labels), tmp_path / "model.tflite"
    path.write_bytes(export.to_litert(network))
    found = export.find_terms(network, path)
    assert tuple(found) == TERM_NAMES
    wanted = network.get_layer("terms").values
    for name in TERM_NAMES:
        values = tensor_of(path, found[name])
        assert values.dtype == wanted[name].dtype
        assert values == pytest.approx(wanted[name], rel=1e-6)


def test_another_network_has_no_terms(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(30, 4, name="some")(ids)
    network = keras.Model(ids, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(vectors)))
    path = tmp_path / "model.tflite"
    path.write_bytes(export.to_litert(network))
    assert export.find_terms(network, path) == dict.fromkeys(TERM_NAMES, "")
    assert export.find_embedding(network, path)["dimensions"] == 4
