"""Metrics that are made when they are asked for: what holds for the service, and the drift."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

from classifier import drift
from classifier.bundle import Bundle
from classifier.config import Settings
from classifier.traffic import CONFIDENCE_BINS

Found = Mapping[tuple[str, str], float]  # values by name and the value of the only label, if any


def stated_metrics(settings: Settings, bundle: Bundle) -> list[Metric]:
    """Return what holds for the service, for others to be compared with."""
    text = "1, for the release and the model that answer."
    info = GaugeMetricFamily("frontdesk_info", text, labels=["release_id", "model_id"])
    info.add_metric([settings.release_id, bundle.model_id], 1)
    text = "Requests that can be in work at a time, one for each thread."
    threads = GaugeMetricFamily("frontdesk_threads", text, settings.workers * settings.threads)
    text = "Share of each label among the held-out texts of the training."
    shares = GaugeMetricFamily("frontdesk_expected_label_share", text, labels=["label"])
    for label, share in bundle.statistics["label_mix"].items():
        shares.add_metric([label], share)
    return [info, threads, shares, *_certificate_metric(settings.certificate_path)]


def _certificate_metric(path: Path | None) -> list[Metric]:
    """When the site's certificate ends, read anew each time; nothing where that is not known."""
    try:
        end = json.loads(path.read_text())["not_after"] if path else None
    except (OSError, ValueError, KeyError):
        end = None
    text = "When the certificate of the site ends, in Unix time."
    name = "frontdesk_certificate_expiry_timestamp_seconds"
    return [] if end is None else [GaugeMetricFamily(name, text, end)]


def drift_metric(bundle: Bundle, counted: Iterable[Metric]) -> Metric:
    """Return how far what was `counted` is from the bundle's statistics, in each respect."""
    found: Found = {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for metric in counted
        for sample in metric.samples
    }
    words = found.get(("frontdesk_text_words_sum", ""), 0.0)
    unknown = found.get(("frontdesk_unknown_words_total", ""), 0.0)
    labels = bundle.statistics["label_mix"]
    confidences = [place / CONFIDENCE_BINS for place in range(1, CONFIDENCE_BINS + 1)]
    counts = {
        "label_mix": [found.get(("frontdesk_texts_total", label), 0.0) for label in labels],
        "confidence": _bin_counts(found, "frontdesk_confidence_bucket", confidences),
        "words": _bin_counts(
            found, "frontdesk_text_words_bucket", list(drift.length_bins(bundle.statistics))
        ),
        "unknown_words": [words - unknown, unknown],
    }
    text = "Population stability index of the texts since the start against the training's."
    family = GaugeMetricFamily("frontdesk_drift_score", text, labels=["of"])
    for kind, score in drift.scores(bundle.statistics, counts).items():
        family.add_metric([kind], score)
    return family


def _bin_counts(found: Found, name: str, ends: Sequence[float]) -> list[float]:
    # As Prometheus writes them: 1 is 1.0, and what has no end +Inf
    written = ["+Inf" if end == float("inf") else str(float(end)) for end in ends]
    return drift.bin_counts([found.get((name, end), 0.0) for end in written])
