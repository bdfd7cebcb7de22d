"""What each word adds to each label's score, where the score is a sum: the default model's.

The numbers are read out of the model file itself, where the bundle says they are; the file is
mapped into memory, so nothing is copied. `training.model.Terms` is the other side of this.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from ai_edge_litert.interpreter import Interpreter

from classifier.bundle import Bundle
from classifier.serving.tokenizer import Tokenizer

_TINY = numpy.float32(1e-6)


@dataclass(frozen=True)
class Contributions:
    """Scores are logits: their softmax is the probabilities. For each label, in model order:

    scores [labels] = bias [labels] + words [words, labels] summed over the words of the text.
    """

    scores: numpy.ndarray
    bias: numpy.ndarray
    words: numpy.ndarray


class Terms:
    """The parts of the scores of one bundle's model."""

    def __init__(self, bundle: Bundle) -> None:
        """Find the numbers; `bundle.terms` must name them."""
        self._interpreter = Interpreter(model_path=str(bundle.model_path), num_threads=1)
        tensors = {item["name"]: item["index"] for item in self._interpreter.get_tensor_details()}
        for name, tensor in bundle.terms.items():
            setattr(self, f"_{name}", self._interpreter.tensor(tensors[tensor])())
        self._temperature = bundle.calibration["temperature"]

    def contributions(self, tokenizer: Tokenizer, text: str, word_count: int) -> Contributions:
        """Return what each of the `word_count` words of `text` adds.

        What stands in a text several times counts at most twice: its part is shared out evenly,
        and that of a pair between its words. What belongs to no word, the ends of the text, is in
        the bias.
        """
        ids = tokenizer.encode(text)
        parts = self._parts(ids, tokenizer.words_end)
        bias = self._bias / self._temperature
        places: dict[int, list[Sequence[int]]] = defaultdict(list)
        for token, where in tokenizer.places(text):
            places[token].append(where)
        words = numpy.zeros((word_count, len(bias)), numpy.float32)
        for token, part in zip(ids.tolist(), parts, strict=True):
            for where in places.get(token, ()):
                share = part / len(places[token])
                if not where:
                    bias = bias + share
                for place in where:
                    words[place] += share / len(where)
        return Contributions(bias + words.sum(axis=0), bias, words)

    def _parts(self, ids: numpy.ndarray, words_end: int) -> numpy.ndarray:
        """What each id adds, [ids, labels]."""
        scales = self._scales[ids]
        parts = self._scores[ids] * scales[:, :1]
        parts /= numpy.sqrt(scales[:, 1].sum() + _TINY)
        is_word = ids < words_end
        vectors = self._vectors[ids[is_word]]
        vectors = vectors / numpy.sqrt(scales[is_word, 1].sum() + _TINY)
        parts[is_word] += vectors @ self._labels
        return parts / self._temperature
