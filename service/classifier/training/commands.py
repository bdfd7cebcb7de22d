"""What each command of the command line does: data to stdout, talk to stderr."""

import argparse
import json
import sys
import time
from typing import Any

from classifier import bundle
from classifier.training.errors import DataError

# numpy, LiteRT and TensorFlow are imported where they are needed: help and errors come at once.


def train(args: argparse.Namespace) -> int:
    """Make a bundle, or find it made already; print one line of JSON."""
    from classifier.training import own, pipeline, report  # noqa: PLC0415
    from classifier.training.corpus import find_places  # noqa: PLC0415
    from classifier.training.options import to_settings  # noqa: PLC0415

    started = time.monotonic()
    bundle.check_target(args.output)
    report.check_target(args.output)
    own_model = own.find(args.model) if args.model else None
    places = find_places(args.data, args.validation, args.test)
    job = pipeline.prepare(places, to_settings(args), own_model)
    made = None if args.force else pipeline.up_to_date(args.output, job)
    trained = made is None
    if made is None:
        made = pipeline.run(job, args.output, args.require_accuracy)
    else:
        print(f"{args.output} is up to date; --force trains anew", file=sys.stderr)
        if not report.folder_of(args.output).exists():
            print("its report is gone; --force makes it anew", file=sys.stderr)
        pipeline.check_floor(made.metrics, args.require_accuracy)
    _print_json(
        {
            "bundle": str(args.output),
            "report": str(report.folder_of(args.output)),
            "model_id": made.model_id,
            "accuracy": made.metrics["accuracy"],
            "macro_f1": made.metrics["macro_f1"],
            "ece": made.calibration["ece_after"],
            "held_out_texts": made.metrics["held_out_texts"],
            "training_texts": made.metrics["training_texts"],
            "labels": list(made.labels),
            "seconds": round(time.monotonic() - started, 1),
            "trained": trained,
        }
    )
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Score a bundle on labelled texts."""
    from classifier.training.evaluate import evaluate as score  # noqa: PLC0415

    scores, model_id = score(args.bundle, args.data)
    result = {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "texts": scores.texts,
        "model_id": model_id,
    }
    if args.json:
        _print_json(result)
    else:
        print(f"accuracy  {scores.accuracy:.4f}")
        print(f"macro F1  {scores.macro_f1:.4f}")
        print(f"texts     {scores.texts}")
    return 0


def compare(args: argparse.Namespace) -> int:
    """Put two bundles side by side on the same labelled texts."""
    from classifier.training.compare import compare as ask_both  # noqa: PLC0415

    found, bundles = ask_both(args.first, args.second, args.data)
    if args.json:
        _print_json(
            {
                "texts": found.texts,
                "bundles": [
                    {"bundle": str(one.path), "model_id": one.model_id, "accuracy": accuracy}
                    for one, accuracy in zip(bundles, found.accuracies, strict=True)
                ],
                "difference": found.difference,
                "interval_95": found.interval,
                "p_value": found.p_value,
                "right": {
                    "both": found.both,
                    "only_first": found.only_first,
                    "only_second": found.only_second,
                    "neither": found.neither,
                },
                "disagreements": found.disagreements,
            }
        )
        return 0
    low, high = found.interval
    for one, accuracy in zip(bundles, found.accuracies, strict=True):
        print(f"{accuracy:.4f}  {one.model_id}  {one.path}")
    print(
        f"difference {found.difference:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}, "
        f"p {found.p_value:.3g}, {found.texts} texts"
    )
    print(
        f"right: both {found.both}, only the first {found.only_first}, "
        f"only the second {found.only_second}, neither {found.neither}"
    )
    print(f"answered differently: {len(found.disagreements)}")
    for item in found.disagreements[: args.n]:
        first, second = (f"{a['label']} {a['probability']:.2f}" for a in item["answers"])
        print(f"  {first} | {second} | labelled {item['label']} | {_one_line(item['text'])}")
    return 0


def neighbours(args: argparse.Namespace) -> int:
    """Print the words nearest to a word, by the model's embedding."""
    from classifier.training.embedding import neighbours as find  # noqa: PLC0415

    found = find(args.bundle, args.word, args.n)
    if args.json:
        nearest = [{"word": item.word, "cosine": item.cosine} for item in found]
        _print_json({"word": args.word, "neighbours": nearest})
    else:
        for item in found:
            print(f"{item.cosine:+.4f}  {item.word}")
    return 0


def vectors(args: argparse.Namespace) -> int:
    """Write the word vectors for the embedding projector; print one line of JSON."""
    from classifier.training.embedding import write_vectors  # noqa: PLC0415

    tokens, dimensions = write_vectors(args.bundle, args.output)
    _print_json({"output": str(args.output), "tokens": tokens, "dimensions": dimensions})
    return 0


def predict(args: argparse.Namespace) -> int:
    """Answer each text with its likeliest label."""
    from classifier.serving.predict import Predictor  # noqa: PLC0415

    for place, text in enumerate(args.texts, 1):
        if not text.strip():
            raise DataError(f"text {place} of {len(args.texts)} is empty; give at least one word")
    found = bundle.load(args.bundle)
    for text, prediction in zip(args.texts, Predictor(found).predict(args.texts), strict=True):
        if args.json:
            _print_json(
                {
                    "text": text,
                    "label": prediction.label,
                    "probability": prediction.probability,
                    "probabilities": prediction.probabilities,
                }
            )
        else:
            print(f"{prediction.label}  {prediction.probability:.4f}  {text}")
    return 0


def _one_line(text: str, most: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _print_json(values: dict[str, Any]) -> None:
    print(json.dumps(values, ensure_ascii=False), flush=True)
