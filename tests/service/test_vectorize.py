"""The vocabulary: from training texts, most frequent first, as serving's tokenizer reads it."""

import keras
import pytest
import tensorflow as tf
from classifier.bundle import SPECIAL_IDS
from classifier.serving.tokenizer import Tokenizer
from classifier.training import vectorize
from classifier.training.errors import DataError
from classifier.training.settings import Settings

TEXTS = ["The dog, the DOG!", "a cat; the dog", "Éa été\u2028 dog", ""]


def vocabulary_of(texts=TEXTS, most=100, **settings):
    encoded = (text.encode() for text in texts)
    return vectorize.find_vocabulary(encoded, Settings(**settings), most)


def test_frequent_tokens_come_first_and_rare_ones_stay_out():
    assert vocabulary_of()[0] == "dog"
    assert sorted(vocabulary_of()) == ["dog", "the", "the dog"]
    assert set(vocabulary_of(min_count=1)) > {"dog", "cat", "a cat", "dog the"}


def test_one_word_at_a_time_when_asked():
    assert sorted(vocabulary_of(ngrams=1)) == ["dog", "the"]


def test_the_number_of_ids_is_bounded():
    assert len(vocabulary_of(min_count=1, most=4)) == 4 - SPECIAL_IDS


@pytest.mark.parametrize("texts", [["one two three"], ["... !!", "?"]])
def test_texts_without_a_repeated_word_are_refused(texts):
    with pytest.raises(DataError, match="no word occurs 2 times"):
        vocabulary_of(texts)


@pytest.mark.parametrize("ngrams", [1, 2, 3])
@pytest.mark.parametrize("most", [6, 1000])
def test_the_vocabulary_is_that_of_adapt(data_dir, ngrams, most):
    texts = [*TEXTS, *(path.read_text() for path in sorted(data_dir.rglob("*.txt")))]
    layer = keras.layers.TextVectorization(
        most, standardize=vectorize.STANDARDIZE, split=vectorize.SPLIT, ngrams=ngrams
    )
    layer.adapt(tf.constant(texts))
    wanted = layer.get_vocabulary(include_special_tokens=False)
    assert list(vocabulary_of(texts, most, min_count=1, ngrams=ngrams)) == wanted


@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_serving_gives_the_same_ids(ngrams):
    vocabulary = vocabulary_of(min_count=1, ngrams=ngrams)
    layer = vectorize.build(vocabulary, ngrams)
    texts = [*TEXTS, "an unknown cat", "the\x0bdog\x1cthe\xa0dog", "dog " * 30]
    served = Tokenizer(vocabulary, ngrams, 20)
    expected = vectorize.to_ids(layer, tf.constant(texts), 20).to_list()
    assert [served.encode(text) for text in texts] == expected
    settings = vectorize.tokenizer_settings(vocabulary, Settings(ngrams=ngrams))
    assert settings.max_tokens == layer.vocabulary_size()
