"""The report of a run: what went in, how training went and how good the outcome is.

Beside the bundle `build/bundle` it is the folder `build/bundle.report` with report.json, for
programs, and report.html, for people. No part of the bundle: nothing on a host needs it.
"""

import json
import math
import os
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

from classifier.bundle import Bundle
from classifier.training import report_page, splits
from classifier.training.errors import TrainError

if TYPE_CHECKING:
    from classifier.training.make import Made
    from classifier.training.pipeline import Job

FORMAT = 1
JSON_NAME, PAGE_NAME = "report.json", "report.html"
_PARTS = {"training": splits.TRAIN, "validation": splits.VALIDATION, "held_out": splits.TEST}
_FEW_TEXTS, _FEW_HELD_OUT, _MUCH_RARER = 20, 100, 20
_LENGTH_QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)


def folder_of(bundle_path: Path) -> Path:
    """Return where the report of the bundle at `bundle_path` is."""
    real = Path(os.path.realpath(bundle_path))
    return real.with_name(f"{real.name}.report")


def collect(written: Bundle, job: "Job", made: "Made") -> dict[str, Any]:
    """Return all of the report as plain data."""
    measured, training = made.measured, written.card["training"]
    per_label = measured.scores.per_label(written.labels)
    texts = _texts_by_label(job)
    return {
        "format": FORMAT,
        "bundle": written.path.name,
        "model_id": written.model_id,
        "created": written.card["created"],
        "labels": list(written.labels),
        "metrics": written.metrics | {"accuracy_interval": _wilson(measured.scores)},
        "calibration": written.calibration
        | {"before": measured.before.points(), "after": measured.after.points()},
        "data": {
            "source": training["source"],
            "texts": texts,
            "left_out": job.corpus.left_out,
            "also_trained_on": job.corpus.shared,
            "words": _spread(made.lengths),
            "warnings": [*job.corpus.remarks, *_warnings(texts, written, made.lengths)],
        },
        "curves": made.trained.history,
        "epochs": made.trained.epochs,
        "confusion": _confusion(measured.confusion, written.labels),
        "per_label": per_label,
        "mistakes": measured.mistakes,
        "words": made.words,
        "statistics": written.statistics,
        "run": {
            "settings": training["settings"],
            "model": training.get("model"),
            "seed": training["seed"],
            "versions": training["versions"],
            "duration_seconds": training["duration_seconds"],
            "peak_memory_megabytes": _peak_megabytes(),
            "bundle_megabytes": _megabytes(written),
            "vocabulary": len(written.vocabulary),
            "data_digest": training["data_digest"],
        },
    }


def write(written: Bundle, report: Mapping[str, Any]) -> Path:
    """Write the report beside its bundle, in place of the one before; return the page's path."""
    target = folder_of(written.path)
    contents = {
        JSON_NAME: json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n",
        PAGE_NAME: report_page.render(report),
    }
    try:
        _install(target, contents)
    except OSError as error:
        raise TrainError(
            f"{target}: the bundle {written.path} is complete, but its report could not be "
            f"written: {error.strerror or error}"
        ) from error
    return target / PAGE_NAME


def check_target(bundle_path: Path) -> None:
    """Refuse, before training, to replace a folder beside the bundle that is no report."""
    target = folder_of(bundle_path)
    if not target.exists():
        return
    names = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    strange = sorted(names - {JSON_NAME, PAGE_NAME})
    if strange:
        raise TrainError(
            f"{target}: the report goes there, but it holds {strange[0]!r}; "
            "move it away or name another --output"
        )


def _install(target: Path, contents: Mapping[str, str]) -> None:
    workroom = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fresh = workroom / "new"
        fresh.mkdir(mode=0o755)
        for name, text in contents.items():
            (fresh / name).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(workroom / "old")
        fresh.rename(target)
    finally:
        shutil.rmtree(workroom)


def _texts_by_label(job: "Job") -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {label: {} for label in job.labels}
    for name, part in _PARTS.items():
        split = job.corpus.split(part)
        places = numpy.asarray(split.scan.example_labels)[split.mask]
        counts = numpy.bincount(places, minlength=len(job.labels)).tolist()
        for row, count in zip(found.values(), counts, strict=True):
            row[name] = count
    return found


def _warnings(
    texts: Mapping[str, Mapping[str, int]], written: Bundle, lengths: Counter[int]
) -> list[str]:
    """What a user should know before trusting the figures."""
    warnings = []
    training = {label: row["training"] for label, row in texts.items()}
    few = [label for label, count in training.items() if count < _FEW_TEXTS]
    if few:
        warnings.append(
            f"fewer than {_FEW_TEXTS} texts to train on for {_named(few)}: add some there first"
        )
    rarest, commonest = min(training, key=training.get), max(training, key=training.get)
    if training[commonest] >= _MUCH_RARER * training[rarest]:
        warnings.append(
            f"{commonest!r} has {training[commonest]} texts to train on, {rarest!r} "
            f"{training[rarest]}: the rare one may be overlooked"
        )
    held_out = written.metrics["held_out_texts"]
    if held_out < _FEW_HELD_OUT:
        warnings.append(f"only {held_out} texts to measure on: the figures are rough")
    if written.card["never_given"]:
        warnings.append(f"never given as an answer: {_named(written.card['never_given'])}")
    longest = written.tokenizer.max_length
    cut = sum(count for length, count in lengths.items() if length > longest)
    if cut:
        share = cut / lengths.total()
        warnings.append(f"{share:.1%} of the texts are longer than {longest} words and are cut")
    return warnings


def _named(labels: list[str]) -> str:
    rest = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    return ", ".join(map(repr, labels[:5])) + rest


def _spread(lengths: Counter[int]) -> dict[str, Any]:
    """Quantiles and a histogram over doubling lengths, from counts by length in words."""
    ordered = numpy.repeat(*numpy.array(sorted(lengths.items())).T)
    ends = [0, *(2**n for n in range(1, math.ceil(math.log2(ordered[-1] + 1)) + 1))]
    counts, _ = numpy.histogram(ordered, [*ends[:-1], ends[-1]])
    values = numpy.quantile(ordered, _LENGTH_QUANTILES)
    return {
        "texts": len(ordered),
        "mean": float(ordered.mean()),
        "quantiles": {f"{share:g}": float(v) for share, v in zip(_LENGTH_QUANTILES, values)},  # noqa: B905
        "histogram": {"ends": ends, "counts": counts.tolist()},
    }


def _confusion(
    confusion: Counter[tuple[str, str]], labels: tuple[str, ...]
) -> list[dict[str, Any]]:
    order = {label: place for place, label in enumerate(labels)}
    pairs = sorted(confusion.items(), key=lambda item: [order[label] for label in item[0]])
    return [{"label": wanted, "given": given, "texts": n} for (wanted, given), n in pairs]


def _wilson(scores: Any) -> list[float]:
    """The 95 % interval of the accuracy: E. B. Wilson, JASA 1927."""
    z, n, share = 1.959964, scores.texts, scores.accuracy
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return [max(0.0, middle - half), min(1.0, middle + half)]


def _peak_megabytes() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _megabytes(written: Bundle) -> float:
    return round(sum(entry.stat().st_size for entry in written.path.iterdir()) / 1e6, 2)
