"""The words of the command line: commands, options, help with examples."""

import argparse
from pathlib import Path
from typing import Any

from classifier.training import commands
from classifier.training.options import add_settings, count, fraction

_EXIT_CODES = """exit codes:
  0    done (train: also when the bundle was up to date)
  1    no usable result: training failed, accuracy below the floor, bundle or disk at fault
  2    wrong command or data
  130  interrupted; nothing was written
"""
_DATA_HELP = (
    "folder with one folder of .txt files per class, or a csv/tsv/jsonl (.gz) with label,text"
)
_EXAMPLES = {
    "train": """
  python -m classifier train sample_data --output ../build/bundle
  python -m classifier train mails.csv.gz --output ../build/bundle --require-accuracy 0.9
  python -m classifier train train.csv --test test.csv --output ../build/bundle
  python -m classifier train reviews --output ../build/bundle    (with reviews/train, reviews/test)
  python -m classifier train sample_data --output ../build/cnn --model examples/cnn.py --ngrams 1

The last line on stdout is JSON: what was made and how good it is on texts held out of training.
A bundle that the same data, settings and code made is left as it is ("trained": false).
Beside the bundle ../build/bundle lies its report: ../build/bundle.report/report.html.
""",
    "evaluate": """
  python -m classifier evaluate ../build/bundle more_mails.csv
  python -m classifier evaluate ../build/bundle sample_data --json
""",
    "compare": """
  python -m classifier compare ../build/bundle ../build/cnn more_mails.csv
  python -m classifier compare old new more_mails.csv --json > comparison.json

The difference is the accuracy of the second less that of the first. Its interval is that of Agresti
and Min (2005) for paired answers, p that of McNemar's exact test. Texts seen in training say
nothing about which bundle is better: compare on new ones.
""",
    "neighbours": """
  python -m classifier neighbours ../build/bundle parcel
  python -m classifier neighbours ../build/bundle refund -n 20 --json
""",
    "vectors": """
  python -m classifier vectors ../build/bundle --output ../build/vectors

Load vectors.tsv and metadata.tsv of that folder into the embedding projector of TensorBoard.
""",
    "predict": """
  python -m classifier predict ../build/bundle "my parcel never came"
  python -m classifier predict ../build/bundle --json "my parcel never came" "wrong invoice"
""",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser; `run` of what it parses is the function of the command."""
    whole = argparse.ArgumentParser(
        prog="python -m classifier",
        description="Train, score and ask a text classifier. Data on stdout, talk on stderr.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    group = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_train(group)

    command = _command(group, "evaluate", "score on new texts")
    _add_bundle(command)
    _add_data(command)
    _add_json(command, "one line of JSON")

    command = _command(group, "compare", "two bundles on the same texts")
    for name, which in (("first", "a trained bundle"), ("second", "another one")):
        command.add_argument(name, type=Path, metavar="BUNDLE", help=which)
    _add_data(command)
    _add_number(command, 10, "show so many texts on which they disagree, the surest first")
    _add_json(command, "one line of JSON, with all texts on which they disagree")

    command = _command(group, "neighbours", "words that mean alike to the model")
    _add_bundle(command)
    command.add_argument("word", metavar="WORD", help="a word, or a run of words in quotes")
    _add_number(command, 10, "show so many words")
    _add_json(command, "one line of JSON")

    command = _command(group, "vectors", "word vectors for the embedding projector")
    _add_bundle(command)
    command.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="folder for the two tables"
    )

    command = _command(group, "predict", "classify texts")
    _add_bundle(command)
    command.add_argument("texts", nargs="+", metavar="TEXT", help="a text to classify")
    _add_json(command, "one line of JSON a text")
    return whole


def _add_train(group: Any) -> None:
    command = _command(group, "train", "texts to a bundle")
    _add_data(command)
    command.add_argument(
        "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write the bundle to"
    )
    for split, purpose in (
        ("validation", "decide on these texts when to stop"),
        ("test", "measure on these texts"),
    ):
        command.add_argument(
            f"--{split}",
            type=Path,
            metavar="DATA",
            help=f"{purpose} (default: the folder {split} in DATA, or a part of DATA)",
        )
    command.add_argument(
        "--require-accuracy",
        type=fraction,
        metavar="FLOOR",
        help="write nothing and fail when the accuracy on held-out texts is below, e.g. 0.9",
    )
    command.add_argument(
        "--model",
        metavar="FILE.py[:FUNCTION]",
        help="train the Keras model that this function (default: build) returns instead",
    )
    command.add_argument(
        "--force", action="store_true", help="train even when the bundle is up to date"
    )
    add_settings(command)


def _command(group: Any, name: str, summary: str) -> argparse.ArgumentParser:
    run = getattr(commands, name)
    command = group.add_parser(
        name,
        help=summary,
        description=run.__doc__,
        epilog=f"examples:{_EXAMPLES[name]}\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def _add_bundle(command: argparse.ArgumentParser) -> None:
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="a trained bundle")


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", type=Path, metavar="DATA", help=_DATA_HELP)


def _add_number(command: argparse.ArgumentParser, default: int, text: str) -> None:
    command.add_argument(
        "-n", type=count, default=default, metavar="N", help=f"{text} (default {default})"
    )


def _add_json(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--json", action="store_true", help=f"print {text}")
