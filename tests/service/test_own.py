"""A model of one's own: what is accepted, what is refused, and the example in the documentation."""

import json
from pathlib import Path

import keras
import numpy
import pytest
from classifier import bundle
from classifier.__main__ import main
from classifier.serving.predict import Predictor
from classifier.training import own
from classifier.training.errors import ModelFileError
from classifier.training.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "service" / "examples" / "cnn.py"
HEAD = """
import keras
from keras import layers

def words(vocabulary_size):
    ids = keras.Input((None,), dtype="int32")
    return ids, layers.Embedding(vocabulary_size, 4, mask_zero=True)(ids)

"""


def built(tmp_path, body, function="build"):
    """Return the model that the file made of `body` gives for 9 ids and 2 labels."""
    (tmp_path / "m.py").write_text(HEAD + body)
    found = own.find(f"{tmp_path / 'm.py'}:{function}")
    return own.build(found, vocabulary_size=9, labels=("no", "yes"), settings=Settings())


def test_the_example_trains_to_a_bundle_that_serving_runs(data_dir, tmp_path, capsys):
    words = ["train", str(data_dir), "--output", str(tmp_path / "b"), "--model", str(EXAMPLE)]
    options = ["--ngrams", "1", "--epochs", "5", "--batch-size", "8", "--learning-rate", "0.01"]
    assert main([*words, *options]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.8
    found = bundle.load(tmp_path / "b")
    assert found.card["training"]["model"]["file"] == "cnn.py"
    assert found.embedding["dimensions"] == 64
    assert Predictor(found).predict(["The dog runs after the ball."])[0].label == "animals"


def test_the_function_is_given_what_it_asks_for(tmp_path):
    body = "def mine(labels, vocabulary_size, settings, width=3):\n"
    body += "    ids, vectors = words(vocabulary_size)\n"
    body += "    average = layers.GlobalAveragePooling1D()(vectors)\n"
    body += "    assert labels == ('no', 'yes') and settings.seed == 1 and width == 3\n"
    body += "    return keras.Model(ids, layers.Dense(len(labels))(average))\n"
    assert built(tmp_path, body, "mine").outputs[0].shape == (None, 2)


@pytest.mark.parametrize(
    "last",
    [
        "layers.Dense(2, activation='softmax')(v)",
        "layers.Softmax()(layers.Dense(2)(v))",
        "keras.ops.softmax(layers.Dense(2)(v))",
    ],
)
def test_probabilities_are_taken_as_well_as_logits(tmp_path, last):
    body = "def build(vocabulary_size):\n    ids, v = words(vocabulary_size)\n"
    body += "    v = layers.GlobalAveragePooling1D()(v)\n"
    body += f"    return keras.Model(ids, {last})\n"
    logits = built(tmp_path, body)(numpy.array([[2, 3, 0]]))
    assert keras.ops.convert_to_numpy(keras.ops.exp(logits)).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def other(): pass", "holds no function 'build'; write one, or name yours"),
        ("raise ValueError('boom')", "cannot be run: ValueError: boom"),
        ("def build(width): pass", "build wants 'width'; it is given vocabulary_size, labels"),
        ("def build(): return 1 / 0", "build failed: ZeroDivisionError"),
        ("def build(): return 7", "must return a keras.Model .*not this int"),
        (
            "def build(): return keras.Sequential([layers.Dense(2)])",
            "made of one keras.Input .*not this Sequential",
        ),
        (
            "def build():\n    ids = keras.Input((None,))\n    return keras.Model(ids, ids)",
            "the model's input is float32",
        ),
        (
            "def build():\n    ids, v = words(9)\n"
            "    return keras.Model(ids, layers.Dense(1)(layers.GlobalMaxPooling1D()(v)))",
            r"output has the shape \(None, 1\), must be \(None, 2\)",
        ),
    ],
)
def test_a_file_without_a_usable_model_is_refused_in_one_line(tmp_path, body, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        built(tmp_path, body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "message"),
    [("model.txt", "must be a Python file"), ("nowhere.py:build", "nowhere.py: cannot be read")],
)
def test_a_file_that_is_none_exits_with_2(data_dir, tmp_path, capsys, argument, message):
    words = ["train", str(data_dir), "--output", str(tmp_path / "b"), "--model", argument]
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_another_file_is_another_stamp(tmp_path):
    stamps = []
    for text in ("one = 1", "two = 2"):
        (tmp_path / "m.py").write_text(text)
        stamps.append(own.find(str(tmp_path / "m.py")).stamp)
    assert stamps[0] != stamps[1]
    assert stamps[0]["function"] == "build"
