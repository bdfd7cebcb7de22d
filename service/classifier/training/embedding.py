"""Look at what the model learned of words: neighbours of one, and all vectors for a projector.

The vectors are read from the exported model itself, where the bundle says they are. Free of
TensorFlow.
"""

import difflib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from ai_edge_litert.interpreter import Interpreter

from classifier import bundle
from classifier.bundle import SPECIAL_IDS, Bundle, BundleError
from classifier.serving.tokenizer import split_words
from classifier.training.errors import DataError

VECTORS_NAME, METADATA_NAME = "vectors.tsv", "metadata.tsv"


@dataclass(frozen=True)
class Neighbour:
    """A word and the cosine of the angle between its vector and the one asked for."""

    word: str
    cosine: float


def read_vectors(loaded: Bundle) -> numpy.ndarray:
    """Return float32 [tokens, dimensions], row i the vector of `loaded.vocabulary[i]`.

    The default network has vectors for the words only, which come first in the vocabulary.
    """
    name, dimensions = loaded.embedding["tensor"], loaded.embedding["dimensions"]
    if not name:
        raise BundleError(f"{loaded.path}: its model has no embedding to look at")
    interpreter = Interpreter(model_path=str(loaded.model_path), num_threads=1)
    counts = {len(loaded.vocabulary), loaded.tokenizer.words}
    shapes = [(count + SPECIAL_IDS, dimensions) for count in counts]
    for tensor in interpreter.get_tensor_details():
        if tensor["name"] == name and tuple(tensor["shape"]) in shapes:
            return tensor_values(interpreter, tensor)[SPECIAL_IDS:]
    raise BundleError(f"{loaded.model_path}: holds no tensor {name!r} of {shapes[0]}; train again")


def tensor_values(interpreter: Interpreter, tensor: Mapping[str, Any]) -> numpy.ndarray:
    """Return a constant of the model as float32, also when the model holds it in fewer bits."""
    values = interpreter.get_tensor(tensor["index"])
    if not numpy.issubdtype(values.dtype, numpy.integer):
        return values.astype(numpy.float32)
    found = tensor["quantization_parameters"]
    if not len(found["scales"]):  # whole numbers in their own right
        return values.astype(numpy.float32)
    along = [1] * values.ndim
    along[found["quantized_dimension"]] = -1
    scales, zeros = (numpy.reshape(found[name], along) for name in ("scales", "zero_points"))
    return ((values.astype(numpy.float32) - zeros) * scales).astype(numpy.float32)


def neighbours(path: str | os.PathLike[str], word: str, count: int) -> list[Neighbour]:
    """Return the `count` tokens whose vectors point most nearly where that of `word` does."""
    loaded = bundle.load(path)
    token = " ".join(split_words(word))
    vectors = read_vectors(loaded)
    places = {known: place for place, known in enumerate(loaded.vocabulary[: len(vectors)])}
    if token not in places:
        raise DataError(f"{loaded.path}: does not know {word!r}; {_similar(token, places)}")
    lengths = numpy.linalg.norm(vectors, axis=1)
    own = vectors[places[token]]
    scale = numpy.maximum(lengths * lengths[places[token]], numpy.finfo(numpy.float32).tiny)
    cosines = vectors @ own / scale
    cosines[places[token]] = -numpy.inf
    nearest = numpy.argsort(-cosines, kind="stable")[: min(count, len(cosines) - 1)]
    return [Neighbour(loaded.vocabulary[place], float(cosines[place])) for place in nearest]


def write_vectors(path: str | os.PathLike[str], folder: Path) -> tuple[int, int]:
    """Write both tables of the embedding projector into `folder`; return tokens and dimensions.

    vectors.tsv has a row of numbers for each token, metadata.tsv the token, neither has a header:
    that is what the projector expects of a metadata table with one column.
    """
    loaded = bundle.load(path)
    vectors = read_vectors(loaded)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / VECTORS_NAME, ("\t".join(f"{value:.6g}" for value in row) for row in vectors))
    _write(folder / METADATA_NAME, loaded.vocabulary[: len(vectors)])
    return vectors.shape


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write lines in one rename: an interrupted run leaves no half table."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", newline="\n"
    ) as file:
        try:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            Path(file.name).chmod(0o644)
            Path(file.name).rename(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _similar(token: str, words: Iterable[str]) -> str:
    candidates = [known for known in words if known[:1] == token[:1]]
    found = difflib.get_close_matches(token, candidates, n=3)
    return f"it knows {', '.join(map(repr, found))}" if found else "ask for a more frequent word"
