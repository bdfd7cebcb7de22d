"""The linear part: the minimum that its documentation names, whatever the texts are cut into."""

import dataclasses
import itertools

import numpy
import pytest
from classifier.bundle import TokenizerSettings
from classifier.training import linear, model
from classifier.training.cache import IdCache, Texts
from classifier.training.settings import Settings
from classifier.training.vectorize import Vocabulary
from scipy import optimize

WORDS = ("<s>", "</s>", "abc", "abcd", "xabc", "q", "zz", "bcd", "never")
PAIRS = ("abc q", "q zz", "zz zz", "<s> abc")
PIECES = (" abc", " <ab", " bcd", " cd>")
TOKENS = WORDS + PAIRS + PIECES
VOCABULARY = Vocabulary(
    TOKENS,
    TokenizerSettings("bag", 2, len(WORDS), len(PAIRS), 4, len(TOKENS) + 2, 100),
)
ID_COUNT = len(TOKENS) + 2
NEVER = 2 + WORDS.index("never")
TOLERANCE = 0.01


def drawn(label_count, text_count=120, seed=5):
    """Texts whose ids depend on their label, labels of very unequal frequency, one text empty.

    A third of the ids that a text holds it holds twice.
    """
    dice = numpy.random.default_rng(seed)
    shares = 0.5 ** numpy.arange(label_count)
    labels = dice.choice(label_count, text_count, p=shares / shares.sum())
    labels[:label_count] = numpy.arange(label_count)
    likely = dice.random((label_count, ID_COUNT)) ** 2
    likely[:, [0, NEVER]] = 0
    rows = [numpy.flatnonzero(dice.random(ID_COUNT) < likely[label]) for label in labels]
    rows = [numpy.repeat(row, dice.choice([1, 1, 2], len(row))) for row in rows]
    rows[3] = rows[3][:0]
    return joined(rows, labels)


def joined(rows, labels):
    lengths = numpy.array([len(row) for row in rows], numpy.int32)
    return Texts(numpy.concatenate(rows).astype(numpy.int32), lengths, labels.astype(numpy.int32))


def fitted(texts, epoch=None, **changes):
    epoch = epoch or (lambda: [texts])
    label_count = int(texts.labels.max()) + 1
    documents, counts = linear.count_documents(epoch, ID_COUNT, label_count)
    weighting = linear.weigh(VOCABULARY, documents, len(texts.labels), 0.5)
    found = linear.fit(epoch, weighting, counts, Settings(**changes), told=lambda *_: None)
    return found, weighting


def bags(texts):
    """Texts as a matrix of how often each holds each id, [texts, ids]."""
    matrix = numpy.zeros((len(texts.labels), ID_COUNT))
    at = numpy.repeat(numpy.arange(len(texts.lengths)), texts.lengths), texts.ids
    numpy.add.at(matrix, at, 1)
    return matrix


def plain_rows(texts):
    """The weighting as the module's documentation says it, id by id, [ids, ids]."""
    matrix, count = bags(texts) > 0, len(texts.labels)
    held = {token: matrix[:, place].sum() for place, token in enumerate(TOKENS, 2)}
    rows = numpy.zeros((ID_COUNT, ID_COUNT))
    for piece in PIECES:
        words = [word for word in WORDS if len(word) > 1 and piece[1:] in f"<{word}>"]
        held[piece] = min(sum(held[word] for word in words), count)
        if held[piece]:
            weight = 0.5 * (numpy.log((1 + count) / (1 + held[piece])) + 1)
            places = [TOKENS.index(token) + 2 for token in (*words, piece)]
            rows[places, TOKENS.index(piece) + 2] = weight
    for token in WORDS + PAIRS:
        if held[token]:
            place = TOKENS.index(token) + 2
            rows[place, place] = numpy.log((1 + count) / (1 + held[token])) + 1
    return rows


def plain_deviations(texts, label):
    """How far a weight may go, as the module's documentation says it, id by id, [ids]."""
    features = bags(texts) @ (plain_rows(texts) > 0)  # how often each text holds each
    has = texts.labels == label
    held, every = features[has].sum(axis=0), features.sum(axis=0)
    share = held.sum() / every.sum()
    likelier = numpy.log((held / share + 2) / ((every - held) / (1 - share) + 2))
    squares = numpy.abs(likelier) + 100 / min(has.sum(), (~has).sum())
    return numpy.sqrt(squares / numpy.average(squares, weights=every))


def plain_minimum(texts, label, balance, strength):
    """The scores of one label by a general minimiser: per id before the division by |x|, bias."""
    rows = plain_rows(texts)
    lengths = numpy.sqrt(bags(texts) @ (rows**2).sum(axis=1) + 1e-6)
    rows = rows * plain_deviations(texts, label)
    vectors = numpy.hstack([bags(texts) @ rows / lengths[:, None], numpy.ones((len(lengths), 1))])
    signs = numpy.where(texts.labels == label, 1, -1)
    counts = numpy.bincount(texts.labels)
    costs = (strength * (counts.mean() / counts) ** balance)[texts.labels]

    def loss(w):
        gap = numpy.maximum(0, 1 - signs * (vectors @ w))
        return w @ w / 2 + costs @ gap**2, w - 2 * vectors.T @ (costs * signs * gap)

    start = numpy.zeros(ID_COUNT + 1)
    found = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-14}
    )
    assert numpy.abs(loss(found.x)[1]).max() < 1e-3
    return rows @ found.x[:-1], found.x[-1]


@pytest.fixture
def _near_the_minimum(monkeypatch):
    """Go on until rounding alone is left of the way to the minimum."""
    monkeypatch.setattr(linear, "_TOLERANCE", 3e-4)


@pytest.mark.usefixtures("_near_the_minimum")
@pytest.mark.parametrize("balance", [0, 1])
@pytest.mark.parametrize("label_count", [2, 3, 5])
def test_the_solution_is_that_of_a_general_minimiser(label_count, balance):
    texts = drawn(label_count)
    found, _ = fitted(texts, balance=balance, strength=0.7)
    wanted = [plain_minimum(texts, label, balance, 0.7) for label in range(label_count)]
    scores, bias = (numpy.array(part).T for part in zip(*wanted, strict=True))
    assert found.scores == pytest.approx(scores, abs=TOLERANCE * numpy.abs(scores).max())
    assert found.bias == pytest.approx(bias, abs=TOLERANCE * numpy.abs(scores).max())


@pytest.mark.parametrize("label_count", [2, 5])
def test_where_it_stops_texts_are_scored_as_at_the_minimum(label_count):
    texts = drawn(label_count)
    found, weighting = fitted(texts)
    lengths = numpy.sqrt(bags(texts) @ weighting.squares + 1e-6)[:, None]
    values = bags(texts) @ found.scores / lengths + found.bias
    wanted = [plain_minimum(texts, label, 0, 1.0) for label in range(label_count)]
    scores, bias = (numpy.array(part).T for part in zip(*wanted, strict=True))
    assert numpy.abs(values - (bags(texts) @ scores / lengths + bias)).max() < 0.15


def test_the_weighting_is_the_documented_one():
    texts = drawn(3)
    _, weighting = fitted(texts)
    assert weighting.rows.toarray() == pytest.approx(plain_rows(texts), rel=1e-5)
    assert weighting.squares == pytest.approx((plain_rows(texts) ** 2).sum(axis=1), rel=1e-5)


def test_an_id_is_counted_once_for_each_text_that_holds_it():
    labels = numpy.array([0, 1, 1, 0, 1])
    rows = [[2, 2, 5], [5, 5], [], [5], []]
    documents, counts = linear.count_documents(
        lambda: [joined(list(map(numpy.array, rows)), labels)], 7, 2
    )
    assert documents.tolist() == [0, 0, 1, 0, 0, 3, 0]
    assert counts.tolist() == [2, 3]


def test_ids_that_no_text_holds_and_padding_weigh_nothing():
    found, weighting = fitted(drawn(3))
    assert weighting.squares[[0, 1, NEVER]].tolist() == [0, 0, 0]
    assert not found.scores[[0, 1, NEVER]].any()


def test_of_two_labels_one_is_the_other_turned_round():
    found, _ = fitted(drawn(2))
    assert (found.scores[:, 0] == -found.scores[:, 1]).all()
    assert found.bias[0] == -found.bias[1]


def test_the_same_texts_give_the_same_numbers_bit_for_bit():
    first, second = (fitted(drawn(4))[0] for _ in range(2))
    assert first.scores.tobytes() == second.scores.tobytes()
    assert first.bias.tobytes() == second.bias.tobytes()


@pytest.mark.usefixtures("_near_the_minimum")
@pytest.mark.parametrize("size", [1, 7, 50])
def test_how_the_texts_are_cut_changes_nothing(size, monkeypatch):
    texts = drawn(3)
    whole, _ = fitted(texts)
    monkeypatch.setattr(linear, "_SLICE_TEXTS", 16)
    shards = [texts.cut(at, min(at + size, 120)) for at in range(0, 120, size)]
    found, _ = fitted(texts, lambda: iter(shards))
    assert found.scores == pytest.approx(whole.scores, abs=TOLERANCE)
    assert found.bias == pytest.approx(whole.bias, abs=TOLERANCE)


@pytest.mark.usefixtures("_near_the_minimum")
@pytest.mark.parametrize("shard_texts", [10, 64])
def test_a_cache_of_any_shards_gives_the_same_solution(shard_texts):
    texts = drawn(3)
    whole, _ = fitted(texts)
    with IdCache(120, id_count=ID_COUNT, shard_texts=shard_texts, place="memory", seed=1) as kept:
        kept.add(texts)
        kept.finish()
        found, _ = fitted(texts, kept.epoch)
    assert found.scores == pytest.approx(whole.scores, abs=TOLERANCE)


@pytest.mark.usefixtures("_near_the_minimum")
@pytest.mark.parametrize("label_count", [2, 4])
def test_curvature_of_a_part_of_the_texts_leads_to_the_same_minimum(label_count, monkeypatch):
    texts = drawn(label_count, text_count=400)
    whole, _ = fitted(texts)
    read = []

    def epoch():
        for start in range(0, 400, 20):
            read.append(start)
            yield texts.cut(start, start + 20)

    monkeypatch.setattr(linear, "_MOST_CURVED_TEXTS", 200)
    found, _ = fitted(texts, epoch)
    near = TOLERANCE * float(numpy.abs(whole.scores).max())
    assert found.scores == pytest.approx(whole.scores, abs=near)
    assert found.bias == pytest.approx(whole.bias, abs=near)
    assert read.count(0) > 2 * read.count(380)  # most passes are those that read a part


@pytest.mark.usefixtures("_near_the_minimum")
def test_labels_solved_a_few_at_a_time_are_the_same(monkeypatch):
    told = []
    whole, weighting = fitted(drawn(5))
    monkeypatch.setattr(linear, "_COLUMN_NUMBERS", 2 * ID_COUNT)
    counts = numpy.bincount(drawn(5).labels)
    found = linear.fit(
        lambda: [drawn(5)], weighting, counts, Settings(), told=lambda *done: told.append(done)
    )
    assert found.scores == pytest.approx(whole.scores, abs=TOLERANCE)
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.usefixtures("_near_the_minimum")
@pytest.mark.parametrize("label_count", [2, 4])
def test_beginning_near_the_minimum_ends_there_with_less_work(label_count):
    passes = []

    def solved(near):
        texts = drawn(label_count)
        documents, counts = linear.count_documents(lambda: [texts], ID_COUNT, label_count)
        weighting = linear.weigh(VOCABULARY, documents, len(texts.labels), 0.5)
        passes.append(0)

        def epoch():
            passes[-1] += 1
            return [texts]

        return linear.fit(epoch, weighting, counts, Settings(), told=lambda *_: None, near=near)

    far = solved(None)
    near = solved(far)
    assert near.scores == pytest.approx(far.scores, abs=TOLERANCE)
    assert passes[1] < passes[0] / 3


def recall_of_the_rare_label(balance):
    """Both labels draw from the same ids, the rare one's a little shifted: neither is sure."""
    dice = numpy.random.default_rng(2)
    labels = (numpy.arange(600) % 12 == 0).astype(int)
    likely = numpy.array([[0.3] * ID_COUNT, [0.3] * ID_COUNT])
    likely[1, 4:8] = 0.55
    likely[:, 0] = 0
    texts = joined([numpy.flatnonzero(dice.random(ID_COUNT) < likely[y]) for y in labels], labels)
    found, weighting = fitted(texts, balance=balance)
    lengths = numpy.sqrt(bags(texts) @ weighting.squares + 1e-6)
    values = bags(texts) @ found.scores[:, 1] / lengths + found.bias[1]
    return (values[labels == 1] > 0).mean()


def test_balance_raises_the_recall_of_a_rare_label():
    assert recall_of_the_rare_label(1) > recall_of_the_rare_label(0) + 0.3


def test_the_logits_of_a_text_are_the_sum_of_what_its_ids_add():
    texts = drawn(4)
    found, weighting = fitted(texts)
    dice = numpy.random.default_rng(3)
    end = 2 + len(WORDS)
    words = model.Words(
        dice.normal(size=(end, 3)).astype(numpy.float32),
        dice.normal(size=(3, 4)).astype(numpy.float32),
        dice.normal(size=4).astype(numpy.float32),
    )
    settings = dataclasses.replace(Settings(), vector_weight=0.2)
    network = model.combine(found, words, weighting, settings)
    layer = network.get_layer(model.TERMS_LAYER)
    parts = {name: getattr(layer, name).numpy() for name in layer.values}
    ends = itertools.accumulate(texts.lengths.tolist())
    for end_at, length in itertools.islice(zip(ends, texts.lengths, strict=True), 20):
        ids = texts.ids[end_at - length : end_at]
        known = ids[ids < end]
        size = numpy.sqrt(parts["scales"][ids, 1].sum() + 1e-6)
        size_of_words = numpy.sqrt(parts["scales"][known, 1].sum() + 1e-6)
        logits = parts["bias"].astype(float).copy()
        for token in ids:
            logits += parts["scores"][token] * parts["scales"][token, 0] / size
        for token in known:
            logits += parts["vectors"][token] @ parts["labels"] / size_of_words
        padded = numpy.concatenate([ids, [0] * 5])[None].astype(numpy.int32)
        assert numpy.array(network(padded))[0] == pytest.approx(logits, abs=1e-4)


def test_scores_in_eight_bits_are_those_of_the_solution():
    texts = drawn(3)
    found, weighting = fitted(texts)
    shapes = [(2 + len(WORDS), 2), (2, 3), (3,)]
    nothing = model.Words(*(numpy.zeros(shape, numpy.float32) for shape in shapes))
    network = model.combine(found, nothing, weighting, Settings())
    lengths = numpy.sqrt(bags(texts) @ weighting.squares + 1e-6)[:, None]
    wanted = 3 * (bags(texts) @ found.scores / lengths + found.bias)
    ids = numpy.zeros((len(texts.labels), ID_COUNT), numpy.int32)
    ends = numpy.cumsum(texts.lengths)
    for row, end, length in zip(ids, ends, texts.lengths, strict=True):
        row[:length] = texts.ids[end - length : end]
    assert numpy.array(network(ids)) == pytest.approx(wanted, abs=0.05)
