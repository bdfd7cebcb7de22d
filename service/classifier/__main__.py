"""The command line: `python -m classifier train | evaluate | predict`, run from service/."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from classifier import bundle
from classifier.training.errors import DataError, ExportError, TrainError
from classifier.training.options import add_settings, fraction, to_settings

INTERRUPTED = 130
_EXIT_CODES = """exit codes:
  0    done (train: also when the bundle was up to date)
  1    no usable result: training failed, accuracy below the floor, bundle or disk at fault
  2    wrong command or data
  130  interrupted; nothing was written
"""
_DATA_HELP = "folder with one folder of .txt files per class, or a csv/tsv (.gz) with label,text"
_TRAIN_EXAMPLES = """examples:
  python -m classifier train sample_data --output ../build/bundle
  python -m classifier train mails.csv.gz --output ../build/bundle --require-accuracy 0.9
  python -m classifier train train.csv --test test.csv --output ../build/bundle

The last line on stdout is JSON: what was made and how good it is on texts held out of training.
A bundle that the same data, settings and code made is left as it is ("trained": false).

"""
_EVALUATE_EXAMPLES = """examples:
  python -m classifier evaluate ../build/bundle more_mails.csv
  python -m classifier evaluate ../build/bundle sample_data --json

"""
_PREDICT_EXAMPLES = """examples:
  python -m classifier predict ../build/bundle "my parcel never came"
  python -m classifier predict ../build/bundle --json "my parcel never came" "wrong invoice"

"""


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except DataError as error:
        return _fail(error, 2)
    except (TrainError, ExportError, bundle.BundleError) as error:
        return _fail(error, 1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        return _fail(f"{named}{error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", INTERRUPTED)


def train(args: argparse.Namespace) -> int:
    """Make a bundle, or find it made already; print one line of JSON."""
    from classifier.training import pipeline  # noqa: PLC0415 - numpy, which predict can wait for

    started = time.monotonic()
    bundle.check_target(args.output)
    job = pipeline.prepare(args.data, args.test, to_settings(args))
    made = None if args.force else pipeline.up_to_date(args.output, job)
    trained = made is None
    if made is None:
        made = pipeline.run(job, args.output, args.require_accuracy)
    else:
        print(f"{args.output} is up to date; --force trains anew", file=sys.stderr)
        pipeline.check_floor(made.metrics, args.require_accuracy)
    _print_json(
        {
            "bundle": str(args.output),
            "model_id": made.model_id,
            "accuracy": made.metrics["accuracy"],
            "macro_f1": made.metrics["macro_f1"],
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


def predict(args: argparse.Namespace) -> int:
    """Answer each text with its likeliest label."""
    from classifier.serving.predict import Predictor  # noqa: PLC0415

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m classifier",
        description="Train, score and ask a text classifier. Data on stdout, talk on stderr.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, "train", train, "texts to a bundle", _TRAIN_EXAMPLES)
    command.add_argument("data", type=Path, metavar="DATA", help=_DATA_HELP)
    command.add_argument(
        "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write the bundle to"
    )
    command.add_argument(
        "--test",
        type=Path,
        metavar="DATA",
        help="measure on these texts (default: on a part of DATA held out of training)",
    )
    command.add_argument(
        "--require-accuracy",
        type=fraction,
        metavar="FLOOR",
        help="write nothing and fail when the accuracy on held-out texts is below, e.g. 0.9",
    )
    command.add_argument(
        "--force", action="store_true", help="train even when the bundle is up to date"
    )
    add_settings(command)

    command = _command(commands, "evaluate", evaluate, "score on new texts", _EVALUATE_EXAMPLES)
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="a trained bundle")
    command.add_argument("data", type=Path, metavar="DATA", help=_DATA_HELP)
    command.add_argument("--json", action="store_true", help="print one line of JSON")

    command = _command(commands, "predict", predict, "classify texts", _PREDICT_EXAMPLES)
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="a trained bundle")
    command.add_argument("texts", nargs="+", metavar="TEXT", help="a text to classify")
    command.add_argument("--json", action="store_true", help="print one line of JSON a text")
    return parser


def _command(
    commands: Any, name: str, run: Any, summary: str, examples: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{run.__doc__}",
        epilog=examples + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def _print_json(values: dict[str, Any]) -> None:
    print(json.dumps(values, ensure_ascii=False), flush=True)


def _fail(error: object, code: int) -> int:
    line = " ".join(str(error).split())
    print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
