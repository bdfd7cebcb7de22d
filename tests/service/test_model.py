"""The network: padding changes nothing, rare labels and sizes are taken care of."""

import dataclasses

import numpy
import pytest
from classifier.training import model
from classifier.training.settings import Settings

STATISTICS = model.Statistics(numpy.arange(50)[::-1].copy(), numpy.array([90, 9, 1]))


@pytest.fixture(scope="module")
def network():
    built = model.build(STATISTICS, Settings())
    dice = numpy.random.default_rng(1)
    # As if trained: before the first step many weights are zero.
    built.set_weights([w + dice.normal(size=w.shape) for w in built.get_weights()])
    built.get_layer("rarity").set_weights([model._rarity(STATISTICS)])
    return built


def test_padding_does_not_change_the_answer(network):
    short = network(numpy.array([[3, 7, 1]]), training=False).numpy()
    long = network(numpy.array([[3, 7, 1] + [0] * 50]), training=False).numpy()
    assert numpy.allclose(short, long, atol=1e-5)


def test_neighbours_do_not_change_the_answer(network):
    alone = network(numpy.array([[3, 7, 1]]), training=False).numpy()
    batch = network(numpy.array([[9, 9, 9], [3, 7, 1]]), training=False).numpy()
    assert numpy.allclose(alone[0], batch[1], atol=1e-5)


def test_a_text_without_words_gets_the_most_frequent_label():
    fresh = model.build(STATISTICS, Settings())
    logits = fresh(numpy.zeros((1, 4), numpy.int32), training=False).numpy()[0]
    shares = numpy.exp(logits) / numpy.exp(logits).sum()
    assert shares == pytest.approx([0.9, 0.09, 0.01], abs=1e-4)


def test_rare_tokens_weigh_more_and_padding_nothing():
    weights = model._rarity(STATISTICS)[:, 0]
    assert weights[0] == 0
    assert (numpy.diff(weights[1:]) > 0).all()


@pytest.mark.parametrize("labels", [2, 6, 150])
def test_the_weights_fit_the_asked_size(labels):
    settings = Settings(max_tokens=10**9, bundle_megabytes=2)
    most = model.most_tokens(settings, labels)
    statistics = model.Statistics(numpy.ones(most), numpy.ones(labels))
    assert 1e6 < model.build(statistics, settings).count_params() * 4 < 2e6
    assert model.most_tokens(dataclasses.replace(settings, max_tokens=7), labels) == 7
