"""Train, export and measure: the part of the pipeline that needs TensorFlow."""

import os

# Both before TensorFlow is imported. Its notes are no news to anyone, and what goes wrong comes as
# an exception; oneDNN may add up in another order from run to run, which a seed must rule out.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import contextlib
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy

from classifier.bundle import Bundle, GoldenText, Limits, TokenizerSettings
from classifier.card import TERM_NAMES
from classifier.serving.predict import Predictor
from classifier.serving.tokenizer import Tokenizer
from classifier.training import calibrate, export, train, words
from classifier.training.golden import GoldenChooser
from classifier.training.measure import Measurement
from classifier.training.pipeline import Job
from classifier.training.splits import Split
from classifier.training.vectorize import Vocabulary

_SAMPLES = 64
# Enough to find one number, or to know what texts are like, from data of any size.
_MOST_SAMPLED = 5000
_BATCH = 32


@dataclass(frozen=True)
class Made:
    """What a run made: all that a bundle and a report need beyond the job."""

    model: bytes
    vocabulary: tuple[str, ...]
    tokenizer: TokenizerSettings
    metrics: dict[str, Any]
    golden: tuple[GoldenText, ...]
    embedding: dict[str, Any]
    terms: dict[str, str]
    measured: Measurement
    trained: train.Trained
    words: dict[str, list[str]]
    lengths: Counter[int]  # of a sample of the texts for training, in words


def make(job: Job) -> Made:
    """Return the exported model with what it scores, both through LiteRT as on a host.

    What was fitted to the held-out texts, too, can't be measured with them: the figures are then
    those of the network that had not seen them.
    """
    trained = train.train(job.corpus, job.settings, job.own_model)
    vocabulary = trained.vocabulary
    tokenizer = vocabulary.make_tokenizer()
    temperature = _find_temperature(job, trained.measured, tokenizer)
    measured = Measurement(job.labels, trained.measured_words, tokenizer, temperature)
    golden = GoldenChooser(job.labels)
    samples = _samples(job, tokenizer)
    if trained.measured is not trained.network:
        with _exported(job, trained.measured, vocabulary, temperature, samples) as draft:
            _measure(job, Predictor(draft), measured, None)
    with _exported(job, trained.network, vocabulary, temperature, samples) as draft:
        model = draft.model_path.read_bytes()
        embedding = export.find_embedding(trained.network, draft.model_path)
        terms = export.find_terms(trained.network, draft.model_path)
        alone = measured if trained.measured is trained.network else None
        _measure(job, Predictor(draft), alone, golden)
    lengths, strongest = _look_at_words(job, trained, tokenizer)
    scores = measured.scores
    metrics = {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "held_out_texts": scores.texts,
        "training_texts": job.corpus.training.count,
        "fitted_texts": _fitted_texts(job),
        "validation_loss": trained.validation_loss,
    }
    return Made(
        model=model,
        vocabulary=vocabulary.tokens,
        tokenizer=vocabulary.tokenizer,
        metrics=metrics,
        golden=golden.choose(),
        embedding=embedding,
        terms=terms,
        measured=measured,
        trained=trained,
        words=strongest,
        lengths=lengths,
    )


def _fitted_texts(job: Job) -> int:
    """To how many texts the delivered model was fitted, in the end."""
    if job.own_model:
        return job.corpus.training.count
    return sum(split.count for split in train.delivered_splits(job.corpus, job.settings))


@contextlib.contextmanager
def _exported(
    job: Job,
    network: keras.Model,
    vocabulary: Vocabulary,
    temperature: float,
    samples: list[list[int]],
) -> Iterator[Bundle]:
    """Export `network` into a folder for the while, checked on `samples`, as half a bundle."""
    model = export.to_litert(network, temperature)
    with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
        draft = Bundle(
            path=Path(folder),
            labels=job.labels,
            vocabulary=vocabulary.tokens,
            tokenizer=vocabulary.tokenizer,
            limits=Limits(),
            metrics={},
            golden=(),
            calibration={},
            statistics={},
            embedding={},
            terms=dict.fromkeys(TERM_NAMES, ""),  # texts are run one by one
            model_id="",
            card={},
        )
        draft.model_path.write_bytes(model)
        export.check_equal(network, draft.model_path, samples, temperature)
        yield draft


def texts_of(split: Split) -> Iterator[tuple[str, str]]:
    """Stream the (text, label) pairs of a split."""
    for text, label in split.texts():
        yield text.decode(), split.scan.labels[label]


def _sampled(split: Split) -> Iterator[tuple[str, int]]:
    """Stream some (text, label's place) pairs of a split, evenly spread over it."""
    for text, label in split.texts(every=math.ceil(split.count / _MOST_SAMPLED)):
        yield text.decode(), label


def _find_temperature(job: Job, network: keras.Model, tokenizer: Tokenizer) -> float:
    logits, labels, batch = [], [], []

    def flush() -> None:
        ids = numpy.zeros((len(batch), max(map(len, batch))), numpy.int32)
        for row, text_ids in zip(ids, batch, strict=True):
            row[: len(text_ids)] = text_ids
        logits.append(keras.ops.convert_to_numpy(network(ids, training=False)))
        batch.clear()

    for text, label in _sampled(job.corpus.validation):
        ids = tokenizer.encode(text).tolist()
        batch.append(ids or [0])
        labels.append(label)
        if len(batch) == _BATCH:
            flush()
    if batch:
        flush()
    return calibrate.find_temperature(numpy.concatenate(logits), numpy.array(labels))


def _samples(job: Job, tokenizer: Tokenizer) -> list[list[int]]:
    held_out = texts_of(job.corpus.test)
    return [
        tokenizer.encode(text).tolist()
        for _, (text, _) in zip(range(_SAMPLES), held_out, strict=False)
    ]


def _measure(
    job: Job, predictor: Predictor, measured: Measurement | None, golden: GoldenChooser | None
) -> None:
    """Measure on the held-out texts; choose golden texts there, and elsewhere if need be."""
    for text, label in texts_of(job.corpus.test):
        [prediction] = predictor.predict([text])
        if measured:
            measured.add(text, label, prediction)
        if golden:
            golden.add(text, label, prediction)
    # Only where few texts were held out
    for split in (job.corpus.validation, job.corpus.training) if golden else ():
        if golden.enough:
            break
        for text, label in texts_of(split):
            missing = golden.uncovered
            if missing and label not in missing:
                continue  # its own texts are the likeliest to get a label
            golden.add(text, label, predictor.predict([text])[0])
            if golden.enough:
                break


def _look_at_words(
    job: Job, trained: train.Trained, tokenizer: Tokenizer
) -> tuple[Counter[int], dict[str, list[str]]]:
    lengths: Counter[int] = Counter()

    def encoded() -> Iterator[list[int]]:
        for text, _ in _sampled(job.corpus.training):
            lengths[len(text.split())] += 1
            yield tokenizer.encode(text).tolist()

    strongest = words.strongest(trained.network, trained.vocabulary.tokens, job.labels, encoded())
    return lengths, strongest
