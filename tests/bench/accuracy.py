"""How right the default model is, beside its rivals, on any number of data sets.

    python tests/bench/accuracy.py FOLDER --output build/bench

FOLDER holds pairs of tables, NAME_train.csv and NAME_test.csv (tsv and .gz as well), with columns
label and text. Each way runs with its default settings, alone, in a process of its own. Prints a
table and writes accuracy.json and accuracy.png.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import bench_environment
import measured_process

_HERE = Path(__file__).resolve().parent
_SERVICE = _HERE.parents[1] / "service"
_TRAIN = re.compile(r"(.+)_train(\.(?:csv|tsv|jsonl)(?:\.gz)?)")
OURS = "Frontdesk"
RIVALS = {
    "linear SVM": "svm",
    "logistic regression": "logistic",
    "fastText, 5 epochs": "fasttext5",
    "fastText, 25 epochs": "fasttext25",
}
TUTORIAL = "TensorFlow tutorial"


def find_sets(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return the two tables of each data set in `folder`; SystemExit where there is none."""
    found = {}
    for path in sorted(folder.iterdir()):
        match = _TRAIN.fullmatch(path.name)
        if match and (test := path.with_name(f"{match[1]}_test{match[2]}")).exists():
            found[match[1]] = path, test
    if not found:
        sys.exit(f"{folder}: holds no NAME_train.csv with a NAME_test.csv; put such a pair there")
    return found


def measure(train: Path, test: Path, bundle: Path, other_python: Path) -> dict[str, dict[str, Any]]:
    """Run all ways on one data set and return their figures by name."""
    env = {**os.environ, "PYTHONPATH": str(_SERVICE)}
    runs = {OURS: _measure_ours(train, test, bundle, env)}
    commands = {
        name: [other_python, _HERE / "rivals.py", way, train, test] for name, way in RIVALS.items()
    }
    commands[TUTORIAL] = [sys.executable, _HERE / "tutorial.py", train, test]
    for name, command in commands.items():
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        done = measured_process.run(command, env=env)
        runs[name] = json.loads(done.stdout) | {"peak_megabytes": done.peak_megabytes}
    return runs


def _measure_ours(train: Path, test: Path, bundle: Path, env: dict[str, str]) -> dict[str, Any]:
    print(f"measuring: {OURS}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "classifier"]
    trained = measured_process.run(
        [*command, "train", train, "--test", test, "--output", bundle], cwd=_SERVICE
    )
    evaluated = measured_process.run([*command, "evaluate", bundle, test, "--json"], cwd=_SERVICE)
    timed = measured_process.run([sys.executable, _HERE / "predicting.py", bundle, test], env=env)
    card = json.loads((bundle / "bundle.json").read_text())
    scores = json.loads(evaluated.stdout)
    return {
        "accuracy": scores["accuracy"],
        "macro_f1": scores["macro_f1"],
        "texts": scores["texts"],
        "seconds": trained.seconds,
        "peak_megabytes": trained.peak_megabytes,
        "model_megabytes": sum(path.stat().st_size for path in bundle.iterdir()) / 1e6,
        "prediction_microseconds": json.loads(timed.stdout)["microseconds"],
        "ece_before": card["calibration"]["ece_before"],
        "ece_after": card["calibration"]["ece_after"],
    }


def table(name: str, runs: dict[str, dict[str, Any]]) -> str:
    """Return the figures of a data set as a block for a terminal."""
    best = _best_rival(runs)
    texts = runs[OURS]["texts"]
    error = math.sqrt(best * (1 - best) / texts)
    lines = [
        f"{name}: {texts} texts to measure on, standard error {error:.4f}; "
        f"calibration error {runs[OURS]['ece_before']:.4f}, "
        f"after the temperature {runs[OURS]['ece_after']:.4f}",
        f"  {'':22} {'accuracy':>9} {'macro F1':>9} {'s':>8} {'MB':>7} {'model MB':>9} "
        f"{'us a text':>9}",
    ]
    return "\n".join([*lines, *(f"  {way:22} {_row(run)}" for way, run in runs.items())])


def means(sets: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the line that sums up all data sets."""
    ours = statistics.mean(runs[OURS]["accuracy"] for runs in sets.values())
    best = statistics.mean(map(_best_rival, sets.values()))
    return f"mean: {OURS} {ours:.4f}, best rival of each {best:.4f}"


def _best_rival(runs: dict[str, dict[str, Any]]) -> float:
    return max(runs[rival]["accuracy"] for rival in RIVALS)


def _row(run: dict[str, Any]) -> str:
    if "absent" in run:
        return f"absent: {run['absent']}"
    cost = run.get("prediction_microseconds")
    return (
        f"{run['accuracy']:9.4f} {run['macro_f1']:9.4f} {run['seconds']:8.1f} "
        f"{run['peak_megabytes']:7.0f} {run['model_megabytes']:9.1f} "
        f"{f'{cost:.0f}' if cost else '-':>9}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("data", type=Path, metavar="FOLDER", help="pairs of NAME_train, NAME_test")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    if not args.data.is_dir():
        parser.error(f"{args.data}: no such folder; name one with pairs of tables")
    found = find_sets(args.data.resolve())
    args.output.mkdir(parents=True, exist_ok=True)
    other_python = bench_environment.ensure()
    sets = {}
    for name, (train, test) in found.items():
        print(f"data set: {name}", file=sys.stderr, flush=True)
        bundle = args.output.resolve() / "accuracy" / name
        bundle.parent.mkdir(exist_ok=True)
        sets[name] = measure(train, test, bundle, other_python)
        print(table(name, sets[name]), flush=True)
    print(means(sets))
    written = args.output / "accuracy.json"
    written.write_text(json.dumps(sets, indent=1) + "\n")
    picture = written.with_suffix(".png")
    subprocess.run([other_python, _HERE / "draw_accuracy.py", written, picture], check=True)
    print(f"{written} and {picture}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
