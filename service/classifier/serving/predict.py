"""From texts to labels and probabilities, with LiteRT; shared by all threads of a worker."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from ai_edge_litert.interpreter import Interpreter

from classifier.bundle import Bundle, BundleError
from classifier.serving.terms import Contributions, Terms
from classifier.serving.tokenizer import Tokenizer, find_words

SHORTEST_LENGTH = 16
IDS_TOGETHER = 4096  # of all texts that are run at once, padded: what the longest text alone takes


class PredictError(BundleError):
    """A model that cannot be run or gives no probabilities: one line, naming its file."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The likeliest label, its probability, and the probability of each label, in model order."""

    label: str
    probability: float
    probabilities: dict[str, float]


class Predictor:
    """Predicts with the model of one bundle; threads may call it at the same time.

    An interpreter works for one caller at a time, so idle ones wait in a pool and are handed out.
    The last one given back is the next one taken: as many exist as were ever busy at once.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Take what `bundle` says; the model itself is opened by the first prediction.

        So a Predictor may be made before a fork, and interpreters come into being after it.
        """
        self._model_path = bundle.model_path
        self._labels = bundle.labels
        self._max_length = bundle.tokenizer.max_length
        self._tokenizer = Tokenizer(bundle.vocabulary, bundle.tokenizer)
        self._bundle, self._terms = bundle, None
        self._runs_together = bool(bundle.terms["scores"])
        self._idle: list[_Runner] = []  # append and pop are atomic: no lock needed
        self.ready = False  # True once this process has predicted

    def warm_up(self, interpreters: int = 1) -> None:
        """Predict once with each of `interpreters` interpreters; PredictError when that fails."""
        runners = [self._open() for _ in range(interpreters)]
        for runner in runners:
            list(map(self._prediction, self._run(runner, ["warm up"])))
        self._idle.extend(runners)
        self.ready = True

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return one prediction for each text, in their order.

        No answer depends on its neighbours, not even in the last bit: texts are run together only
        by the default model, which sums up each by itself, and only texts of one padded length.
        """
        try:
            runner = self._idle.pop()
        except IndexError:
            runner = self._open()
        predictions = [self._prediction(values) for values in self._run(runner, texts)]
        # Only after success: an interpreter that raised is not used again.
        self._idle.append(runner)
        self.ready = self.ready or bool(predictions)
        return predictions

    def contributions(self, text: str) -> Contributions | None:
        """Return what each word of `find_words(text)` adds to each label's score.

        None where the bundle's model is none whose scores are such sums.
        """
        if not self._bundle.terms["scores"]:
            return None
        if self._terms is None:  # made twice by two threads, it is the same twice
            self._terms = Terms(self._bundle)
        word_count = sum(1 for _ in find_words(text))
        return self._terms.contributions(self._tokenizer, text, word_count)

    def _open(self) -> "_Runner":
        return _Runner(self._model_path, len(self._labels))

    def _run(self, runner: "_Runner", texts: Sequence[str]) -> list[list[float]]:
        """The probabilities of all labels, for each text."""
        if len(texts) == 1 or not self._runs_together:
            most, alone = self._max_length, map(self._tokenizer.encode, texts)
            return [runner.run([ids], padded_length(len(ids), most))[0] for ids in alone]
        ids = self._tokenizer.encode_all(texts)
        lengths = [padded_length(len(each), self._max_length) for each in ids]
        values: list[list[float]] = [[]] * len(texts)
        for length in sorted(set(lengths)):
            places = [place for place, other in enumerate(lengths) if other == length]
            most = max(1, IDS_TOGETHER // length)
            for some in (places[start : start + most] for start in range(0, len(places), most)):
                found = runner.run([ids[place] for place in some], length)
                for place, row in zip(some, found, strict=True):
                    values[place] = row
        return values

    def _prediction(self, values: list[float]) -> Prediction:
        probability = max(values)
        if not math.isfinite(sum(values)):
            raise PredictError(f"{self._model_path}: gave {values} for a text; train again")
        label = self._labels[values.index(probability)]
        return Prediction(label, probability, dict(zip(self._labels, values, strict=True)))


def padded_length(length: int, max_length: int) -> int:
    """Return the power of two that `length` ids are padded to, so that shapes change rarely."""
    return min(max(SHORTEST_LENGTH, 1 << (length - 1).bit_length()), max_length)


class _Runner:
    """One LiteRT interpreter and the input shape it is prepared for."""

    def __init__(self, model_path: Path, label_count: int) -> None:
        try:
            self._interpreter = Interpreter(model_path=str(model_path), num_threads=1)
        except ValueError as error:
            raise PredictError(f"{model_path}: LiteRT cannot open it: {_line(error)}") from error
        inputs, outputs = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        found = [(item["dtype"], len(item["shape"])) for item in inputs + outputs]
        if found != [(numpy.int32, 2), (numpy.float32, 2)]:
            raise PredictError(f"{model_path}: needs one int32 input and one float32 output")
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._model_path, self._label_count = model_path, label_count
        self._shape = (0, 0)

    def run(self, texts: Sequence[numpy.ndarray], length: int) -> list[list[float]]:
        """Return the probabilities for the ids of each text, int32, padded with 0 to `length`."""
        padded = numpy.zeros((len(texts), length), numpy.int32)
        for row, ids in zip(padded, texts, strict=True):
            row[: len(ids)] = ids
        try:
            if padded.shape != self._shape:
                self._interpreter.resize_tensor_input(self._input, padded.shape)
                self._interpreter.allocate_tensors()
                self._shape = padded.shape
            self._interpreter.set_tensor(self._input, padded)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise PredictError(
                f"{self._model_path}: LiteRT cannot run it: {_line(error)}"
            ) from error
        output = self._interpreter.get_tensor(self._output)
        if output.shape != (len(texts), self._label_count):
            raise PredictError(
                f"{self._model_path}: gave {output.shape} numbers for {len(texts)} "
                f"{'text' if len(texts) == 1 else 'texts'} and {self._label_count} labels"
            )
        return output.tolist()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
