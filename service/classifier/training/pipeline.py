"""From data to a bundle, and nothing at all when the bundle is there already.

Free of TensorFlow until training is really needed.
"""

import dataclasses
import hashlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from classifier import bundle
from classifier.training import report
from classifier.training.corpus import Corpus, Places, read_corpus
from classifier.training.errors import TrainError
from classifier.training.own import OwnModel
from classifier.training.settings import Settings

_CODE = Path(__file__).parents[1]
# What the model is made of: after a change in one of these a bundle is no longer up to date.
_CODE_PATTERNS = ("bundle.py", "card.py", "traffic.py", "training/*.py", "serving/tokenizer.py")
_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "ai-edge-litert")
# What makes two trainings the same one.
_STAMP_KEYS = (
    "data_digest",
    "validation_digest",
    "test_digest",
    "settings",
    "model",
    "versions",
    "code_digest",
)


@dataclass(frozen=True)
class Job:
    """Checked data with everything that decides what comes out of it."""

    corpus: Corpus
    settings: Settings
    stamp: dict[str, Any]
    own_model: OwnModel | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the model's output."""
        return self.corpus.training.scan.labels


class FloorError(TrainError):
    """The accuracy on held-out texts is below the asked floor."""


def prepare(places: Places, settings: Settings, own_model: OwnModel | None = None) -> Job:
    """Read the data once and check that it can be trained on; DataError when it cannot."""
    corpus = read_corpus(places, settings)
    for remark in corpus.remarks:
        _say(f"warning: {remark}")
    stamp = {
        **corpus.digests,
        "settings": dataclasses.asdict(settings),
        "model": own_model.stamp if own_model else None,
        "versions": _versions(),
        "code_digest": _code_digest(),
    }
    return Job(corpus, settings, stamp, own_model)


def up_to_date(output: Path, job: Job) -> bundle.Bundle | None:
    """Return the bundle at `output` when training again would give the same one."""
    if not (output / bundle.CARD_NAME).exists():
        return None
    try:
        found = bundle.load(output)
    except bundle.BundleError as error:
        _say(f"training anew: {error}")
        return None
    stamp = {key: found.card["training"].get(key) for key in _STAMP_KEYS}
    changed = [key for key in _STAMP_KEYS if stamp[key] != job.stamp[key]]
    if changed:
        _say(f"training anew: the bundle at {output} was made with other {', '.join(changed)}")
        return None
    return found


def check_floor(metrics: Mapping[str, Any], floor: float | None) -> None:
    """Refuse a model whose accuracy on held-out texts is below `floor`."""
    if floor is not None and metrics["accuracy"] < floor:
        raise FloorError(
            f"accuracy {metrics['accuracy']:.4f} on {metrics['held_out_texts']} held-out texts is "
            f"below the required {floor:g}; nothing was written. Give more texts, or a lower floor"
        )


def run(job: Job, output: Path, floor: float | None) -> bundle.Bundle:
    """Train, export, measure and write the bundle to `output`; nothing is written on failure."""
    started = time.monotonic()
    _say(
        f"{job.corpus.training.count} texts for training, "
        f"{job.corpus.validation.count} for validation, "
        f"{job.corpus.test.count} held out, "
        f"{len(job.labels)} classes; starting TensorFlow"
    )
    from classifier.training import make  # noqa: PLC0415 - seconds of import, only when needed

    made = make.make(job)
    check_floor(made.metrics, floor)
    training = {
        "source": job.corpus.training.source.path.resolve().name,
        **job.stamp,
        "seed": job.settings.seed,
        "epochs": made.trained.epochs,
        "duration_seconds": round(time.monotonic() - started, 1),
    }
    written = bundle.write(
        output,
        model=made.model,
        vocabulary=made.vocabulary,
        labels=job.labels,
        tokenizer=made.tokenizer,
        limits=bundle.Limits(),
        metrics=made.metrics,
        golden=made.golden,
        calibration=made.measured.calibration,
        statistics=made.measured.traffic.summary(),
        embedding=made.embedding,
        terms=made.terms,
        training=training,
    )
    _say(f"report: {report.write(written, report.collect(written, job, made))}")
    return written


def _versions() -> dict[str, str]:
    installed = {}
    for name in _DISTRIBUTIONS:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if not installed.keys() & {"tensorflow", "tensorflow-cpu"}:
        raise TrainError(
            "TensorFlow is not installed, training needs it: pip install -r requirements.txt"
        )
    return installed


def _code_digest() -> str:
    digest = hashlib.sha256()
    for pattern in _CODE_PATTERNS:
        for path in sorted(_CODE.glob(pattern)):
            digest.update(f"{path.relative_to(_CODE)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
