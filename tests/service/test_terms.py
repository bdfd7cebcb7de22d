"""What words add to the scores of the default model: read out of the file, and all of the score."""

import dataclasses

import numpy
import pytest
from classifier import bundle as bundles
from classifier.bundle import Bundle, Limits, TokenizerSettings
from classifier.serving.predict import Predictor
from classifier.serving.tokenizer import find_words
from classifier.training import export, model
from classifier.training.linear import Linear, Weighting
from classifier.training.settings import Settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

TOKENS = ("<s>", "</s>", "dog", "cat", "dog cat", "cat </s>", " <ca", " ats")
SCORES = dict(zip(TOKENS, [0.5, -0.25, 2.0, 1.0, -3.0, 0.75, 1.5, 4.0], strict=True))
BIAS, TEMPERATURE = 0.125, 2.0


@pytest.fixture(scope="module")
def trained(bundle_dir):
    return Predictor(bundles.load(bundle_dir))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model of two labels in which every id has the length 1 and a score that is known."""
    ids = len(TOKENS) + 2
    column = numpy.array([0, 0, *SCORES.values()], numpy.float32)
    scores = numpy.stack([-column, column], axis=1)
    bias = numpy.array([-BIAS, BIAS], numpy.float32)
    squares = numpy.array([0, 0] + [1] * len(TOKENS), numpy.float32)
    weighting = Weighting(
        sparse.identity(ids, format="csr", dtype=numpy.float32), squares, squares > 0
    )
    nothing = model.Words(*(numpy.zeros(shape, numpy.float32) for shape in ((6, 3), (3, 2), (2,))))
    linear = Linear(scores, bias, numpy.vstack([scores, bias]))
    network = model.combine(linear, nothing, weighting, Settings())
    return Predictor(drafted(network, tmp_path_factory.mktemp("terms")))


def drafted(network, folder):
    """The half of a bundle that predicting and explaining need."""
    path = folder / bundles.MODEL_NAME
    path.write_bytes(export.to_litert(network, TEMPERATURE))
    return Bundle(
        path=folder,
        labels=("no", "yes"),
        vocabulary=TOKENS,
        tokenizer=TokenizerSettings("bag", 2, 4, 2, 3, len(TOKENS) + 2, 100),
        limits=Limits(),
        metrics={},
        golden=(),
        calibration={"temperature": TEMPERATURE},
        statistics={},
        embedding={},
        terms=export.find_terms(network, path),
        model_id="",
        card={},
    )


def weights_of(predictor, text):
    """Bias and weights for the second label, times what divides all of them."""
    known = [name for name in tokens_of(predictor, text) if name in SCORES]
    factor = numpy.sqrt(len(known)) * TEMPERATURE / model.MARGIN_LOGITS
    found = predictor.contributions(text)
    lone = model.MARGIN_LOGITS * BIAS / TEMPERATURE
    return float((found.bias[1] - lone) * factor), (found.words[:, 1] * factor).tolist()


def tokens_of(predictor, text):
    ids = predictor._tokenizer.encode(text).tolist()
    return [TOKENS[token - 2] for token in ids if token > 1]


@pytest.mark.parametrize(
    ("text", "bias", "weights"),
    [
        ("", 0.25, []),
        ("dog", 0.25, [2.0]),
        ("dog dog", 0.25, [2.0, 2.0]),
        ("dog dog dog dog", 0.25, [1.0] * 4),  # known twice: each is half of it
        ("Dog cat", 0.25, [2.0 - 1.5, 1.0 - 1.5 + 0.75]),  # a pair is shared by its words
        ("dog cat dog", 0.25, [2.0 - 1.5, 1.0 - 1.5, 2.0]),
        ("dog cat dog cat", 0.25, [2 - 1.5, 1 - 1.5, 2 - 1.5, 1 - 1.5 + 0.75]),
        ("cats", 0.25, [1.5 + 4.0]),  # unknown: its pieces speak for it
        ("cab cab x", 0.25, [1.5, 1.5, 0]),
    ],
)
def test_a_word_adds_its_part_and_its_share_of_pairs_and_pieces(made, text, bias, weights):
    found_bias, found = weights_of(made, text)
    assert found_bias == pytest.approx(bias, abs=1e-4)
    assert found == pytest.approx(weights, abs=1e-4)


WORDS = st.sampled_from(
    ["the", "dog", "dogs", "DOG", "soup", "soups", "snow", ".", "!!", "zzz", "brings", "ice",
     "a", "cold", "\u0130ce", "日本", "\n", "\u212a"]
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_bias_and_words_are_the_score_and_its_softmax_the_probabilities(trained, text):
    found = trained.contributions(text)
    assert found.words.shape == (len(list(find_words(text))), 3)
    assert found.bias + found.words.sum(axis=0) == pytest.approx(found.scores, abs=1e-4)
    odds = numpy.exp(found.scores - found.scores.max())
    (prediction,) = trained.predict([text])
    assert list(prediction.probabilities.values()) == pytest.approx(odds / odds.sum(), abs=1e-4)


def test_a_text_beyond_the_longest_length_is_explained_as_far_as_it_is_read(bundle_dir):
    whole = bundles.load(bundle_dir)
    short = dataclasses.replace(whole.tokenizer, max_length=6)
    predictor = Predictor(dataclasses.replace(whole, tokenizer=short))
    text = "The dog sleeps in its basket and the storm will last all night"
    found = predictor.contributions(text)
    odds = numpy.exp(found.scores)
    (prediction,) = predictor.predict([text])
    assert list(prediction.probabilities.values()) == pytest.approx(odds / odds.sum(), abs=1e-4)


def test_a_model_that_is_no_such_sum_has_no_contributions(bundle_dir):
    found = bundles.load(bundle_dir)
    other = dataclasses.replace(found, terms=dict.fromkeys(found.terms, ""))
    assert Predictor(other).contributions("the dog") is None
