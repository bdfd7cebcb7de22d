"""Numbers for Prometheus, summed over all workers: requests, times, and what the texts are like.

prometheus_client keeps them in files of PROMETHEUS_MULTIPROC_DIR, one of each process; without
that variable they are this process's own.
"""

import os
import random
import time
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from classifier import drift
from classifier.bundle import Bundle
from classifier.config import Settings
from classifier.serving.metrics_state import drift_metric, stated_metrics
from classifier.serving.record import Record
from classifier.serving.tokenizer import split_words
from classifier.traffic import CONFIDENCE_BINS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS_BETWEEN_SAMPLES = 0.005
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
CONFIDENCES = [place / CONFIDENCE_BINS for place in range(1, CONFIDENCE_BINS + 1)]
_LENGTHS = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
_SAMPLED = "of a sample: at most 200 texts a second and worker"


class Metrics:
    """Counts for one service; threads may count at the same time, and cheaply."""

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        """Make all numbers, at 0; each process counts in files of its own."""
        self._settings, self._bundle = settings, bundle
        self._words = WordCounter(bundle.vocabulary)
        self._registry = registry = CollectorRegistry()
        self._next_sample = 0.0

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"frontdesk_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
            ends = tuple(buckets)
            return Histogram(f"frontdesk_{name}", text, labels, registry=registry, buckets=ends)

        self._requests = histogram(
            "request_seconds", "Time in the queue and in work.", _SECONDS, "route", "status"
        )
        self._by_outcome: dict[tuple[str, int], Histogram] = {}
        self._queue_seconds = counter("queue_seconds", "Time that requests waited for a worker.")
        self._model_seconds = counter("model_seconds", "Time that the model took.")
        texts = counter("texts", "Texts by their likeliest label, abstentions too.", "label")
        self._texts = {label: texts.labels(label) for label in bundle.labels}
        self._abstentions = counter("abstentions", "Texts that got no label.")
        self._confidence = histogram("confidence", "Highest probability of a text.", CONFIDENCES)
        ends = sorted(_LENGTHS | drift.length_bins(bundle.statistics).keys())
        self._lengths = histogram("text_words", f"Words of a text, {_SAMPLED}.", ends)
        self._unknown = counter("unknown_words", f"Words that are not in the model, {_SAMPLED}.")

    def count_request(self, record: Record, status: int) -> None:
        """Count one request that is answered, and its texts unless they are the gate's."""
        outcome = (record.route or "none", status)
        child = self._by_outcome.get(outcome)
        if child is None:
            child = self._by_outcome[outcome] = self._requests.labels(outcome[0], str(status))
        child.observe(record.queue_seconds + time.perf_counter() - record.begun)
        if record.queue_seconds:
            self._queue_seconds.inc(record.queue_seconds)
        if record.answers and record.is_from_edge:
            self._model_seconds.inc(record.model_seconds)
            self.count_texts(record.texts, record.answers)

    def count_texts(self, texts: Sequence[str], answers: Sequence[dict[str, Any]]) -> None:
        """Count texts by what was answered, and now and then what one of them is like."""
        for label, count in Counts(next(iter(each["probabilities"])) for each in answers).items():
            self._texts[label].inc(count)
        for answer in answers:
            self._confidence.observe(answer["probability"])
            if answer["abstained"]:
                self._abstentions.inc()
        now = time.monotonic()
        if now >= self._next_sample:
            self._next_sample = now + SECONDS_BETWEEN_SAMPLES
            words, unknown = self._words.count(random.choice(texts))  # noqa: S311 - a sample
            self._lengths.observe(words)
            self._unknown.inc(unknown)

    def render(self) -> bytes:
        """Return all numbers of all workers, as Prometheus reads them."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            counted = list(MultiProcessCollector(CollectorRegistry()).collect())
        else:
            counted = list(self._registry.collect())
        stated = stated_metrics(self._settings, self._bundle)
        return generate_latest(_Collected([*counted, *stated, drift_metric(self._bundle, counted)]))


class WordCounter:
    """Tells words of texts from words that a model does not know."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        """Of `vocabulary` the single words count as known, as they do in the statistics."""
        self._known = frozenset(token for token in vocabulary if " " not in token)

    def count(self, text: str) -> tuple[int, int]:
        """Return how many words `text` has, and how many of them are unknown."""
        words = split_words(text)
        return len(words), sum(word not in self._known for word in words)


class _Collected:
    """Metrics that were collected already, in the place of a registry."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
