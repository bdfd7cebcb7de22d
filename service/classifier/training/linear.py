"""The linear part: one-vs-rest squared hinge loss with L2, over words, pairs and pieces of words.

A text is the vector x / |x|, x the sum over its ids of the rows of a weighting:

    word    its inverse document frequency, and, weighted less, that of each piece of it
    pair    its inverse document frequency
    piece   its inverse document frequency, weighted less: an unknown word is its pieces

|x| is taken as the root of the sum of the squared rows, which makes the score of a text a sum over
its ids. For each label w minimises |w|^2 / 2 + C sum max(0, 1 - y w.x)^2, by Newton's method with
conjugate gradients: the primal method of C.-J. Lin, R. C. Weng and S. S. Keerthi, "Trust Region
Newton Method for Large-Scale Logistic Regression", JMLR 2008, with a line search for the trust
region. Texts are read again in each pass, so that memory does not grow with their number.

How far a weight may go depends on how unevenly its word, pair or piece is spread over the label and
the others: its part in |w|^2 is divided by d^2, which is the logarithm of how many times likelier
it is in the ones than in the others, whichever they are, plus a constant that counts for less the
more texts the label has, over the mean of that. So a large weight costs less where the counts alone
ask for it: an idea of S. Wang and C. D. Manning, "Baselines and Bigrams: Simple, Good Sentiment and
Topic Classification", ACL 2012.

Loss and gradient, which say where the minimum is, come from all texts. The curvature only shapes
the steps there: of very many texts a part tells it well enough (R. H. Byrd, G. M. Chin, W. Neveitt
and J. Nocedal, "On the Use of Stochastic Hessian Information in Optimization Methods for Machine
Learning", SIAM J. Optim. 2011), and most passes are those for the curvature.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy
from scipy import sparse

from classifier.bundle import SPECIAL_IDS
from classifier.training.cache import Texts
from classifier.training.settings import Settings
from classifier.training.vectorize import Vocabulary, pieces_of

_SLICE_TEXTS = 2048
_TINY = 1e-6
_COLUMN_NUMBERS = 4_000_000  # of weights solved for at a time, 16 MB a vector
_MOST_NEWTON, _MOST_CONJUGATE, _MOST_HALVINGS = 30, 25, 8
# Of the gradient, as a share of the first one; the rarer a label, the less, since the first
# gradient is mostly that of the bias then.
_TOLERANCE = 0.02
_CONJUGATE_TOLERANCE = 0.1
_MOST_CURVED_TEXTS = 200_000  # that a pass for the curvature reads
_MADE_UP_COUNT = 2  # of each id, spread as the texts are: one that is met once says little
_ENOUGH_TEXTS = 100  # of a label, for its counts to weigh as much as the constant

Epoch = Callable[[], Iterable[Texts]]


@dataclass(frozen=True)
class Weighting:
    """Rows [ids, ids] of what each id adds to a text's vector, and their squared lengths [ids].

    `occurs` [ids] says which ids any text holds, as itself or, for a piece, in a word.
    """

    rows: sparse.csr_matrix
    squares: numpy.ndarray
    occurs: numpy.ndarray


@dataclass(frozen=True)
class Linear:
    """What each id adds to each label's score before the division by |x|, and a bias a label."""

    scores: numpy.ndarray  # float32 [ids, labels]
    bias: numpy.ndarray  # float32 [labels]
    point: numpy.ndarray  # float32 [ids + 1, labels]: w / d and bias, for `fit` to start from


def count_documents(epoch: Epoch, id_count: int, label_count: int) -> tuple[numpy.ndarray, ...]:
    """Return in how many texts each id occurs [ids], and how many texts each label has [labels]."""
    documents = numpy.zeros(id_count, numpy.int64)
    labels = numpy.zeros(label_count, numpy.int64)
    for texts in epoch():
        documents += numpy.bincount(texts.ids[_is_first(texts)], minlength=id_count)
        labels += numpy.bincount(texts.labels, minlength=label_count)
    return documents, labels


def _is_first(texts: Texts) -> numpy.ndarray:
    """Which of `texts.ids` are not the same as the one before in their text, bool."""
    is_first = numpy.ones(len(texts.ids), bool)
    numpy.not_equal(texts.ids[1:], texts.ids[:-1], out=is_first[1:])
    starts = numpy.cumsum(texts.lengths) - texts.lengths
    is_first[starts[texts.lengths > 0]] = True
    return is_first


def weigh(
    vocabulary: Vocabulary, documents: numpy.ndarray, text_count: int, piece_weight: float
) -> Weighting:
    """Return the weighting for a vocabulary whose ids occur in `documents` [ids] texts each."""
    documents = documents.astype(numpy.float64)
    first_piece = SPECIAL_IDS + vocabulary.tokenizer.words + vocabulary.tokenizer.pairs
    words, pieces = _pieces_of_words(vocabulary)
    held = numpy.bincount(pieces, weights=documents[words], minlength=len(documents))
    documents[first_piece:] = numpy.minimum(held[first_piece:], text_count)
    rarity = numpy.log((1 + text_count) / (1 + documents)) + 1
    rarity[documents == 0] = 0
    rarity[:SPECIAL_IDS] = 0
    rarity[first_piece:] *= piece_weight
    own = numpy.arange(len(documents))
    values = numpy.concatenate([rarity, rarity[pieces]]).astype(numpy.float32)
    places = numpy.concatenate([own, words]), numpy.concatenate([own, pieces])
    rows = sparse.csr_matrix((values, places), shape=(len(documents),) * 2)
    squares = numpy.asarray(rows.multiply(rows).sum(axis=1)).ravel().astype(numpy.float32)
    return Weighting(rows, squares, documents > 0)


def _pieces_of_words(vocabulary: Vocabulary) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The ids of words and of their pieces, a pair of them for each piece in a word."""
    ids = vocabulary.pieces
    words, pieces = [], []
    if ids:
        for word_id, word in enumerate(vocabulary.words, SPECIAL_IDS):
            found = [ids[p] for p in pieces_of(word, vocabulary.tokenizer.pieces) if p in ids]
            words += [word_id] * len(found)
            pieces += found
    return numpy.array(words, numpy.int64), numpy.array(pieces, numpy.int64)


def fit(  # noqa: PLR0913 - the last two by name
    epoch: Epoch,
    weighting: Weighting,
    label_counts: numpy.ndarray,
    settings: Settings,
    *,
    told: Callable[[int, int], None],
    near: Linear | None = None,
) -> Linear:
    """Return the minimum for all labels, which have `label_counts` [labels] texts.

    `near` is the minimum for about these texts, where it is known: there is less to do then.
    `told` is called with how many labels are done, and how many there are.
    """
    label_count = len(label_counts)
    id_count = len(weighting.squares)
    columns = range(1, 2) if label_count == 2 else range(label_count)  # two labels: one line
    at_once = max(1, _COLUMN_NUMBERS // id_count)
    scores = numpy.zeros((id_count, label_count), numpy.float32)
    point = numpy.zeros((id_count + 1, label_count), numpy.float32)
    for start in range(columns.start, columns.stop, at_once):
        chosen = numpy.arange(start, min(start + at_once, columns.stop))
        problem = _Problem(epoch, weighting, label_counts, settings, chosen)
        share = label_counts[chosen] / label_counts.sum()
        start_at = near.point[:, chosen] if near else None
        found = _minimise(problem, _TOLERANCE * numpy.minimum(share, 1 - share), start_at)
        scores[:, chosen], point[:, chosen] = problem.folded(found), found
        told(int(chosen[-1]) + 1, label_count)
    if label_count == 2:
        scores[:, 0], point[:, 0] = -scores[:, 1], -point[:, 1]
    return Linear(scores, point[-1], point)


class _Problem:
    """Loss, gradient and curvature for some labels; a point is [ids + 1, labels]: w / d, bias."""

    def __init__(
        self,
        epoch: Epoch,
        weighting: Weighting,
        label_counts: numpy.ndarray,
        settings: Settings,
        chosen: numpy.ndarray,
    ) -> None:
        self._epoch, self._weighting, self._chosen = epoch, weighting, chosen
        weights = (label_counts.mean() / label_counts) ** settings.balance
        self._weights = (settings.strength * weights).astype(numpy.float32)
        self._texts = int(label_counts.sum())
        self._active: list[numpy.ndarray] = []  # of each slice which texts are within the margin
        self._scales: list[numpy.ndarray] = []  # of each slice 1 / |x|, from the first pass on
        self.shape = len(weighting.squares) + 1, len(chosen)
        self._deviations = self._find_deviations(label_counts)

    def _find_deviations(self, label_counts: numpy.ndarray) -> numpy.ndarray:
        """Return d, float32 [ids, labels]; see the top."""
        held = numpy.zeros((self.shape[0] - 1, self.shape[1]), numpy.float32)
        every = numpy.zeros(len(held), numpy.float32)
        for texts, matrix in _slices(self._epoch(), len(held)):
            held += matrix.T @ (texts.labels[:, None] == self._chosen).astype(numpy.float32)
            every += matrix.T @ numpy.ones(len(texts.labels), numpy.float32)
        holds = (self._weighting.rows != 0).astype(numpy.float32).T
        held, every = holds @ held, (holds @ every)[:, None]
        total = every.sum(dtype=numpy.float64) + _TINY
        share = (held.sum(axis=0, dtype=numpy.float64) / total).astype(numpy.float32)
        share = share.clip(_TINY, 1 - _TINY)
        here, elsewhere = held / share, (every - held) / (1 - share)
        likelier = numpy.log((here + _MADE_UP_COUNT) / (elsewhere + _MADE_UP_COUNT))
        fewer = numpy.minimum(label_counts[self._chosen], self._texts - label_counts[self._chosen])
        squares = numpy.abs(likelier) + (_ENOUGH_TEXTS / fewer).astype(numpy.float32)
        mean = (every * squares).sum(axis=0, dtype=numpy.float64) / total
        return numpy.sqrt(squares / mean).astype(numpy.float32)

    def folded(self, point: numpy.ndarray) -> numpy.ndarray:
        """Return what each id adds to each label's score, [ids, labels]."""
        return self._weighting.rows @ (point[:-1] * self._deviations)

    def loss_and_gradient(self, point: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return loss [labels] and gradient, like `point`; remembers which texts are active."""
        loss = (point.astype(numpy.float64) ** 2).sum(axis=0) / 2
        self._active = []

        def pull(values: numpy.ndarray, texts: Texts) -> numpy.ndarray:
            nonlocal loss
            signs = numpy.where(texts.labels[:, None] == self._chosen, 1, -1).astype(numpy.float32)
            gap = 1 - signs * values
            active = gap > 0
            self._active.append(numpy.packbits(active, axis=0))
            gap *= active
            weighted = gap * self._weights[texts.labels][:, None]
            loss = loss + (weighted * gap).sum(axis=0, dtype=numpy.float64)
            return -2 * signs * weighted

        gradient = self._pass(point, pull)
        return loss, gradient

    def curvature(self, direction: numpy.ndarray) -> numpy.ndarray:
        """Return the generalised Hessian at the last point, times `direction`.

        Of very many texts it is that of the first ones, which the cache has dealt at random.
        """
        slices = iter(self._active)

        def pull(values: numpy.ndarray, texts: Texts) -> numpy.ndarray:
            active = numpy.unpackbits(next(slices), axis=0, count=len(values))
            return 2 * values * active * self._weights[texts.labels][:, None]

        return self._pass(direction, pull, _MOST_CURVED_TEXTS)

    def _pass(
        self,
        point: numpy.ndarray,
        pull: Callable[[numpy.ndarray, Texts], numpy.ndarray],
        most: float = math.inf,
    ) -> numpy.ndarray:
        """Return point + X^T pull(X point), X the vectors of all texts.

        The second term is reckoned up from the first `most` texts where there are more.
        """
        rows, squares = self._weighting.rows, self._weighting.squares
        folded, pulled = self.folded(point), numpy.zeros_like(point)
        bias = numpy.zeros(point.shape[1], numpy.float64)
        seen = 0
        for place, (texts, matrix) in enumerate(_slices(self._epoch(), len(squares))):
            if seen >= most:
                break
            seen += len(texts.labels)
            if place == len(self._scales):
                self._scales.append((1 / numpy.sqrt(matrix @ squares + _TINY))[:, None])
            scale = self._scales[place]
            force = pull((matrix @ folded) * scale + point[-1], texts)
            pulled[:-1] += matrix.T @ (force * scale)
            bias += force.sum(axis=0, dtype=numpy.float64)
        result = numpy.empty_like(point)
        result[:-1] = (rows.T @ pulled[:-1]) * self._deviations
        result[-1] = bias
        if seen < self._texts:
            result *= self._texts / seen
        return result + point


def _slices(epoch: Iterable[Texts], id_count: int) -> Iterator[tuple[Texts, sparse.csr_matrix]]:
    for whole in epoch:
        for start in range(0, len(whole.lengths), _SLICE_TEXTS):
            texts = whole.cut(start, min(start + _SLICE_TEXTS, len(whole.lengths)))
            edges = numpy.concatenate([[0], numpy.cumsum(texts.lengths)]).astype(numpy.int32)
            ones = numpy.ones(len(texts.ids), numpy.float32)
            ids = texts.ids.astype(numpy.int32)
            yield texts, sparse.csr_matrix((ones, ids, edges), (len(texts.lengths), id_count))


def _minimise(
    problem: _Problem, tolerance: numpy.ndarray, start_at: numpy.ndarray | None
) -> numpy.ndarray:
    """Go on until the gradient is `tolerance` times as long as where all weights are 0."""
    point = numpy.zeros(problem.shape, numpy.float32)
    loss, gradient = problem.loss_and_gradient(point)
    goal = tolerance * _lengths(gradient)
    if start_at is not None:
        point = start_at.copy()
        loss, gradient = problem.loss_and_gradient(point)
    for _ in range(_MOST_NEWTON):
        open_columns = _lengths(gradient) > goal
        if not open_columns.any():
            break
        step = _conjugate_gradients(problem, -gradient * open_columns)
        slope = (gradient * step).sum(axis=0, dtype=numpy.float64)
        size = numpy.where(open_columns, 1.0, 0.0)
        for _ in range(_MOST_HALVINGS):
            tried = (point + size.astype(numpy.float32) * step).astype(numpy.float32)
            new_loss, new_gradient = problem.loss_and_gradient(tried)
            # Single precision: near the minimum a loss may differ by rounding alone.
            worse = new_loss > loss + 1e-4 * size * slope + 1e-6 * numpy.abs(loss)
            if not worse.any():
                break
            size[worse] /= 2
        point, loss, gradient = tried, new_loss, new_gradient
    return point


def _conjugate_gradients(problem: _Problem, wanted: numpy.ndarray) -> numpy.ndarray:
    """Solve curvature(x) = wanted for each column, roughly."""
    found, rest, direction = numpy.zeros_like(wanted), wanted.copy(), wanted.copy()
    squares = _lengths(rest) ** 2
    goal = _CONJUGATE_TOLERANCE**2 * squares
    for _ in range(_MOST_CONJUGATE):
        running = (squares > goal) & (squares > 0)
        if not running.any():
            break
        pushed = problem.curvature(direction)
        along = (direction * pushed).sum(axis=0, dtype=numpy.float64)
        factor = numpy.where(running, squares / numpy.maximum(along, _TINY**4), 0)
        found += (factor * direction).astype(numpy.float32)
        rest -= (factor * pushed).astype(numpy.float32)
        before, squares = squares, _lengths(rest) ** 2
        share = numpy.where(running, squares / numpy.maximum(before, _TINY**4), 0)
        direction = rest + share.astype(numpy.float32) * direction
    return found


def _lengths(columns: numpy.ndarray) -> numpy.ndarray:
    return numpy.sqrt((columns.astype(numpy.float64) ** 2).sum(axis=0))
