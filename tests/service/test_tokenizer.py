import keras
import pytest
import tensorflow as tf
from classifier.serving.tokenizer import Tokenizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = [
    "a",
    "b",
    "the",
    "refund",
    "naïve",
    "istanbul",
    "\u0131stanbul",
    "straße",
    "日本",
    "e\u0301",
    "x1",
]
PAIRS = ["a b", "the refund", "refund the", "b a", "naïve 日本"]
TRIPLES = ["a b a", "the refund the", "b a b"]
VOCABULARY = WORDS + PAIRS + TRIPLES

# What Python's str methods and TensorFlow treat differently, and what either may trip over.
ODD = list(
    " \t\n\r\v\f"  # the six characters that end a word
    "\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"  # white space to str.split only
    "\u200b\u2060\u2063\ufeff\xad"  # invisible
    "\0\x01\x7f\x80"
    "\u0130I\u0131i\u017f\u212a\u212b\u03a3\u03c2\xdf\u1e9e\u01c5\ufb01"  # lowered by str only
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    "\xa1\xbf\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u3001\u3002\uff01"  # punctuation, not ASCII
    "\u0301\u0327\u20d0"
    "😀👩\u200d🔬🏳\ufe0f\u200d🌈"
)
PIECES = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([word.upper() for word in WORDS]),
    st.sampled_from([" ", " ", "\n", ", "]),
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
TEXTS = st.lists(st.lists(PIECES, max_size=24).map("".join), min_size=1, max_size=24)
THOROUGH = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def layer_for(ngrams: int, max_length: int | None, vocabulary: list[str] | None = None):
    return keras.layers.TextVectorization(
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=ngrams,
        output_mode="int",
        output_sequence_length=max_length,
        vocabulary=vocabulary,
    )


def ids_of_layer(layer, texts: list[str]) -> list[list[int]]:
    return layer(tf.constant(texts)).numpy().tolist()


def padded(ids: list[int], length: int) -> list[int]:
    return ids + [0] * (length - len(ids))


@pytest.fixture(scope="module", params=[(1, 3), (1, 40), (2, 5), (2, 60), (3, 1), (3, 90)], ids=str)
def both(request):
    """A tokenizer and the layer it must equal, for one setting of n-grams and length."""
    ngrams, max_length = request.param
    layer = layer_for(ngrams, max_length, VOCABULARY)
    return Tokenizer(VOCABULARY, ngrams, max_length), layer, max_length


@THOROUGH
@given(texts=TEXTS)
def test_ids_equal_those_of_the_layer(both, texts):
    tokenizer, layer, max_length = both
    ours = [padded(tokenizer.encode(text), max_length) for text in texts]
    assert ours == ids_of_layer(layer, texts)


@pytest.mark.parametrize("ngrams", [1, 2, 3])
@settings(THOROUGH, max_examples=25)
@given(texts=TEXTS)
def test_ids_equal_those_of_a_layer_adapted_to_the_texts(ngrams, texts):
    """With every token known, a word cut or lowered in another way shows as another id."""
    texts = [text.replace("\0", "") for text in texts] + ["a"]  # adapt() drops a final NUL
    layer = layer_for(ngrams, None)
    layer.adapt(texts)
    expected = ids_of_layer(layer, texts)
    tokenizer = Tokenizer(layer.get_vocabulary()[2:], ngrams, len(expected[0]))
    assert [padded(tokenizer.encode(text), len(expected[0])) for text in texts] == expected


@pytest.mark.parametrize("text", ["", " ", "\t\n\v\f\r ", "!?.", " ' \" "], ids=ascii)
@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_a_text_without_words_has_no_ids(text, ngrams):
    assert Tokenizer(VOCABULARY, ngrams, 10).encode(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The REFUND, please!", ["the", "refund", "please"]),
        ("don't e-mail", ["dont", "email"]),
        ("İstanbul ISTANBUL", ["İstanbul", "istanbul"]),
        ("non\xa0breaking", ["non\xa0breaking"]),
        ("one\vtwo\x1cthree", ["one", "two\x1cthree"]),
        ("a\0b", ["a\0b"]),
    ],
    ids=ascii,
)
def test_words_are_lowered_and_cut_as_ascii(text, words):
    assert Tokenizer(VOCABULARY, 1, 10).words(text) == words


@pytest.mark.parametrize(
    ("ngrams", "tokens"),
    [
        (1, ["a", "b", "a"]),
        (2, ["a", "b", "a", "a b", "b a"]),
        (3, ["a", "b", "a", "a b", "b a", "a b a"]),
    ],
)
def test_ngrams_follow_all_shorter_ones(ngrams, tokens):
    expected = [VOCABULARY.index(token) + 2 for token in tokens]
    assert Tokenizer(VOCABULARY, ngrams, 100).encode("a b a") == expected


def test_a_lone_surrogate_is_refused():
    with pytest.raises(UnicodeEncodeError):
        Tokenizer(VOCABULARY, 1, 10).encode("\ud800")
