"""The network: padding changes nothing, rare labels and sizes are taken care of."""

import dataclasses

import numpy
import pytest
from classifier.training import model
from classifier.training.linear import Linear, Weighting
from classifier.training.settings import Settings
from scipy import sparse

IDS, WORDS_END, LABELS = 50, 30, 3
LABEL_COUNTS = numpy.array([90, 9, 1])


def weighting_of(ids=IDS):
    squares = numpy.linspace(0, 4, ids, dtype=numpy.float32)
    squares[:2] = 0
    return Weighting(sparse.identity(ids, format="csr", dtype=numpy.float32), squares, squares > 0)


def linear_of(ids=IDS, labels=LABELS, seed=1):
    point = numpy.random.default_rng(seed).normal(size=(ids + 1, labels)).astype(numpy.float32)
    point[:2] = 0
    return Linear(point[:-1], point[-1], point)


def words_of(words_end=WORDS_END, labels=LABELS, dimensions=4):
    dice = numpy.random.default_rng(2)
    shapes = (words_end, dimensions), (dimensions, labels), (labels,)
    return model.Words(*(dice.normal(size=shape).astype(numpy.float32) for shape in shapes))


@pytest.fixture(scope="module", params=["words", "whole"])
def network(request):
    if request.param == "whole":
        return model.combine(linear_of(), words_of(), weighting_of(), Settings(vector_weight=1.0))
    built = model.build_words(weighting_of(), WORDS_END, LABEL_COUNTS, Settings())
    dice = numpy.random.default_rng(1)
    for layer in ("vectors", "labels"):  # as if trained
        weights = built.get_layer(layer).get_weights()
        built.get_layer(layer).set_weights([w + dice.normal(size=w.shape) for w in weights])
    return built


def test_padding_does_not_change_the_answer(network):
    short = network(numpy.array([[3, 7, 1]]), training=False).numpy()
    long = network(numpy.array([[3, 7, 1] + [0] * 50]), training=False).numpy()
    assert numpy.allclose(short, long, atol=1e-5)


def test_neighbours_do_not_change_the_answer(network):
    alone = network(numpy.array([[3, 7, 1]]), training=False).numpy()
    batch = network(numpy.array([[9, 9, 9], [3, 7, 1]]), training=False).numpy()
    assert numpy.allclose(alone[0], batch[1], atol=1e-5)


def test_an_unknown_word_weighs_nothing(network):
    known = network(numpy.array([[3, 7]]), training=False).numpy()
    assert numpy.allclose(network(numpy.array([[1, 3, 7]]), training=False), known, atol=1e-5)


def test_a_text_without_words_gets_the_most_frequent_label():
    fresh = model.build_words(weighting_of(), WORDS_END, LABEL_COUNTS, Settings())
    logits = fresh(numpy.zeros((1, 4), numpy.int32), training=False).numpy()[0]
    shares = numpy.exp(logits) / numpy.exp(logits).sum()
    assert shares == pytest.approx([0.9, 0.09, 0.01], abs=1e-4)


def test_rare_words_weigh_more_and_padding_nothing():
    fresh = model.build_words(weighting_of(), WORDS_END, LABEL_COUNTS, Settings())
    [rarity] = fresh.get_layer("rarity").get_weights()
    assert rarity[:, 0] ** 2 == pytest.approx(weighting_of().squares[:WORDS_END])
    assert not fresh.get_layer("rarity").trainable


@pytest.mark.parametrize("labels", [3, 17])
def test_both_parts_add_up_each_with_its_weight(labels):
    linear, words, weighting = linear_of(labels=labels), words_of(labels=labels), weighting_of()
    ids = numpy.array([[3, 7, 29, 30, 49]])
    counts = numpy.arange(labels, 0, -1)
    part = model.build_words(weighting, WORDS_END, counts, Settings(dimensions=4))
    part.get_layer("vectors").set_weights([words.vectors])
    part.get_layer("labels").set_weights([words.labels, words.bias])
    assert model.Words.of(part).vectors.tolist() == words.vectors.tolist()
    size = numpy.sqrt(weighting.squares[ids[0]].sum())
    margins = linear.scores[ids[0]].sum(axis=0) / size + linear.bias
    of_words = part(ids[:, :3], training=False).numpy()[0]
    whole = model.combine(linear, words, weighting, Settings(vector_weight=0.5))
    wanted = model.MARGIN_LOGITS * (margins + 0.5 * of_words)
    assert whole(ids).numpy()[0] == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_vectors_count_as_much_as_they_are_told_to(weight):
    settings = Settings(vector_weight=weight)
    one, other = (
        model.combine(linear_of(), words, weighting_of(), settings)(numpy.array([[3, 7]])).numpy()
        for words in (words_of(), dataclasses.replace(words_of(), labels=-words_of().labels))
    )
    assert (numpy.abs(one - other).max() < 1e-6) == (weight == 0)


def test_of_many_labels_a_score_takes_a_byte():
    network = model.combine(linear_of(labels=17), words_of(labels=17), weighting_of(), Settings())
    scores = network.get_layer(model.TERMS_LAYER).scores.numpy()
    assert scores.dtype == numpy.int8
    assert numpy.abs(scores[2:]).max(axis=1).tolist() == [127] * (IDS - 2)


def test_of_few_labels_a_score_is_what_was_fitted():
    network = model.combine(linear_of(labels=16), words_of(labels=16), weighting_of(), Settings())
    parts = network.get_layer(model.TERMS_LAYER).values
    fitted = linear_of(labels=16).scores * numpy.float32(model.MARGIN_LOGITS)
    assert (parts["scores"] == fitted).all()
    assert (parts["scales"][:, 0] == 1).all()


@pytest.mark.parametrize("labels", [2, 6, 150])
def test_the_weights_fit_the_asked_size(labels):
    settings = Settings(max_tokens=10**9, bundle_megabytes=2)
    most = model.most_tokens(settings, labels)
    half = most // 2
    whole = model.combine(
        linear_of(most, labels),
        words_of(half, labels, settings.dimensions),
        weighting_of(most),
        settings,
    )
    taken = sum(value.nbytes for value in whole.get_layer(model.TERMS_LAYER).values.values())
    assert 1e6 < taken < 2e6
    few = dataclasses.replace(settings, max_tokens=7, max_pieces=3)
    assert model.most_tokens(few, labels) == 10
