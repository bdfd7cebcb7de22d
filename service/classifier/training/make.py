"""Train, export and measure: the part of the pipeline that needs TensorFlow."""

import os

# Both before TensorFlow is imported. Its notes are no news to anyone, and what goes wrong comes as
# an exception; oneDNN may add up in another order from run to run, which a seed must rule out.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from classifier.bundle import Bundle, GoldenText, Limits, TokenizerSettings
from classifier.serving.predict import Predictor
from classifier.serving.tokenizer import Tokenizer
from classifier.training import export, splits, train, vectorize
from classifier.training.golden import GoldenChooser
from classifier.training.pipeline import Job
from classifier.training.scores import Scores
from classifier.training.sources import Scan, Source, clean

_SAMPLES = 64


@dataclass(frozen=True)
class Made:
    """What a run made, all that a bundle needs beyond the job."""

    model: bytes
    vocabulary: tuple[str, ...]
    tokenizer: TokenizerSettings
    metrics: dict[str, Any]
    golden: tuple[GoldenText, ...]
    epochs: int


def make(job: Job) -> Made:
    """Return the exported model with what it scores, both through LiteRT as on a host."""
    trained = train.train(job.source, job.scan, job.parts, job.settings)
    tokenizer = vectorize.tokenizer_settings(trained.vocabulary, job.settings)
    model = export.to_litert(trained.network)
    with tempfile.TemporaryDirectory(prefix="classifier-") as folder:
        draft = Bundle(
            path=Path(folder),
            labels=job.scan.labels,
            vocabulary=trained.vocabulary,
            tokenizer=tokenizer,
            limits=Limits(),
            metrics={},
            golden=(),
            model_id="",
            card={},
        )
        draft.model_path.write_bytes(model)
        export.check_equal(trained.network, draft.model_path, _samples(job, draft))
        scores, golden = _measure(job, Predictor(draft))
    metrics = {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "held_out_texts": scores.texts,
        "training_texts": int((job.parts == splits.TRAIN).sum()),
        "validation_loss": trained.validation_loss,
    }
    return Made(model, trained.vocabulary, tokenizer, metrics, golden, trained.epochs)


def texts_of(
    source: Source, scan: Scan, parts: numpy.ndarray, part: int
) -> Iterator[tuple[str, str]]:
    """Stream the (text, label) pairs of one part."""
    for place, (_, raw, _) in enumerate(source.read()):
        if parts[place] == part:
            yield clean(raw).decode(), scan.labels[scan.example_labels[place]]


def _samples(job: Job, draft: Bundle) -> list[list[int]]:
    encode = Tokenizer(draft.vocabulary, draft.tokenizer.ngrams, draft.tokenizer.max_length).encode
    held_out = texts_of(job.test, job.test_scan, job.test_parts, splits.TEST)
    return [encode(text) for _, (text, _) in zip(range(_SAMPLES), held_out, strict=False)]


def _measure(job: Job, predictor: Predictor) -> tuple[Scores, tuple[GoldenText, ...]]:
    scores, golden = Scores(), GoldenChooser()
    for text, label in texts_of(job.test, job.test_scan, job.test_parts, splits.TEST):
        [prediction] = predictor.predict([text])
        scores.add(label, prediction.label)
        golden.add(text, label, prediction)
    for part in (splits.VALIDATION, splits.TRAIN):  # only where few texts were held out
        if golden.enough:
            break
        for text, label in texts_of(job.source, job.scan, job.parts, part):
            golden.add(text, label, predictor.predict([text])[0])
    return scores, golden.choose()
