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

import numpy

from classifier import bundle
from classifier.training import splits
from classifier.training.errors import DataError, TrainError
from classifier.training.notices import Notices
from classifier.training.settings import Settings
from classifier.training.sources import Scan, Source, open_source, scan

_CODE = Path(__file__).parents[1]
# What the model is made of: after a change in one of these a bundle is no longer up to date.
_CODE_PATTERNS = ("bundle.py", "card.py", "training/*.py", "serving/tokenizer.py")
_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "ai-edge-litert")
# What makes two trainings the same one.
_STAMP_KEYS = ("data_digest", "test_digest", "settings", "versions", "code_digest")


@dataclass(frozen=True)
class Job:
    """Checked data with everything that decides what comes out of it.

    `test` and `test_scan` are those of `source` unless a separate file is held out.
    """

    source: Source
    scan: Scan
    parts: numpy.ndarray
    test: Source
    test_scan: Scan
    test_parts: numpy.ndarray
    settings: Settings
    stamp: dict[str, Any]


class FloorError(TrainError):
    """The accuracy on held-out texts is below the asked floor."""


def prepare(data: Path, test: Path | None, settings: Settings) -> Job:
    """Read the data once and check that it can be trained on; DataError when it cannot."""
    held_out = 0.0 if test else settings.test_fraction
    source = open_source(data)
    found = _scan(source)
    fractions = (settings.validation_fraction, held_out)
    splits.check_classes(source, found, fractions=fractions)
    parts = splits.split(
        found, validation=settings.validation_fraction, test=held_out, seed=settings.seed
    )
    test_source, test_scan, test_parts = source, found, parts
    if test:
        test_source = open_source(test)
        test_scan = _scan(test_source)
        _check_test(test_source, test_scan, found)
        test_parts = splits.all_test(test_scan)
    stamp = {
        "data_digest": found.digest,
        "test_digest": test_scan.digest if test else "",
        "settings": dataclasses.asdict(settings),
        "versions": _versions(),
        "code_digest": _code_digest(),
    }
    return Job(source, found, parts, test_source, test_scan, test_parts, settings, stamp)


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
        f"{int((job.parts == splits.TRAIN).sum())} texts for training, "
        f"{int((job.parts == splits.VALIDATION).sum())} for validation, "
        f"{int((job.test_parts == splits.TEST).sum())} held out, "
        f"{len(job.scan.labels)} classes; starting TensorFlow"
    )
    from classifier.training import make  # noqa: PLC0415 - seconds of import, only when needed

    made = make.make(job)
    check_floor(made.metrics, floor)
    training = {
        "source": job.source.path.resolve().name,
        **job.stamp,
        "seed": job.settings.seed,
        "epochs": made.epochs,
        "duration_seconds": round(time.monotonic() - started, 1),
    }
    return bundle.write(
        output,
        model=made.model,
        vocabulary=made.vocabulary,
        labels=job.scan.labels,
        tokenizer=made.tokenizer,
        limits=bundle.Limits(),
        metrics=made.metrics,
        golden=made.golden,
        training=training,
    )


def _scan(source: Source) -> Scan:
    notices = Notices()
    found = scan(source, notices)
    notices.say(source.path, sys.stderr)
    return found


def _check_test(test: Source, test_scan: Scan, training_scan: Scan) -> None:
    if not sum(test_scan.counts.values()):
        raise DataError(f"{test.path}: holds no texts; add rows below the header")
    unknown = sorted(set(test_scan.labels) - set(training_scan.labels))
    if unknown:
        known = ", ".join(training_scan.labels[:20])
        raise DataError(
            f"{test.path}: the label {unknown[0]!r} is not one trained on ({known}); "
            "use the same labels in both"
        )


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
