"""What the network makes of words and pairs of them: which speak most for each label."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import keras
import numpy

from classifier.bundle import SPECIAL_IDS
from classifier.serving.predict import SHORTEST_LENGTH
from classifier.serving.tokenizer import PIECE_MARK

WORDS_A_LABEL = 12
_MOST_TOKENS = 20_000
_BATCH = 512
_OFTEN = 10  # texts; from here on, more of them make a word no stronger


def strongest(
    network: keras.Model,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    encoded_texts: Iterable[list[int]],
) -> dict[str, list[str]]:
    """Return for each label the words and pairs that speak for it, the strongest first.

    Pieces of words are left out: to a reader they say nothing that a word does not say better.

    A token's weight for a label is how much likelier a text of that token alone has it than an
    empty text. A token that few of `encoded_texts` hold counts for less: a word met once says
    little about a label, however sure the network is of it.
    """
    counts: Counter[int] = Counter()
    for ids in encoded_texts:
        counts.update({token for token in ids if token >= SPECIAL_IDS})
    whole = (
        token
        for token, _ in counts.most_common()
        if not vocabulary[token - SPECIAL_IDS].startswith(PIECE_MARK)
    )
    tokens = list(itertools.islice(whole, _MOST_TOKENS))
    # One row for each label; a batch at a time, so that tokens times labels is never in memory.
    best: list[list[tuple[float, int]]] = [[] for _ in labels]
    empty = _probabilities(network, [0])
    for start in range(0, len(tokens), _BATCH):
        batch = tokens[start : start + _BATCH]
        gains = _probabilities(network, batch) - empty
        often = numpy.minimum([counts[token] for token in batch], _OFTEN)
        weights = gains * numpy.log1p(often)[:, None]
        for label, column in enumerate(weights.T):
            first = numpy.argsort(-column, kind="stable")[:WORDS_A_LABEL]
            found = [(float(column[place]), batch[place]) for place in first if column[place] > 0]
            best[label] = sorted(best[label] + found, key=lambda item: -item[0])[:WORDS_A_LABEL]
    return {
        label: [vocabulary[token - SPECIAL_IDS] for _, token in found]
        for label, found in zip(labels, best, strict=True)
    }


def _probabilities(network: keras.Model, tokens: list[int]) -> numpy.ndarray:
    batch = numpy.zeros((len(tokens), SHORTEST_LENGTH), numpy.int32)
    batch[:, 0] = tokens
    return keras.ops.convert_to_numpy(keras.ops.softmax(network(batch, training=False)))
