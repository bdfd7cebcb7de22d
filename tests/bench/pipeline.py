"""How fast texts reach the model, and what that costs: five ways, each in its own process.

    python tests/bench/pipeline.py mails.csv --output build/bench

Prints a table and writes pipeline.json and pipeline.png. What the ways are, feeds.py and
in_memory.py say. The first run makes build/bench-venv for scikit-learn and matplotlib.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bench_environment
import measured_process

_HERE = Path(__file__).resolve().parent
_SERVICE = _HERE.parents[1] / "service"
_WAYS = {
    "naive": "naive",
    "no cache, no prefetch": "batched",
    "cache, prefetch": "cached",
    "vectorised once": "vectorised",
}
_IN_MEMORY = "scikit-learn, in memory"


def measure(data: Path, epochs: int, other_python: Path) -> dict[str, dict[str, Any]]:
    """Run all ways and return their figures by name."""
    env = {**os.environ, "PYTHONPATH": str(_SERVICE)}
    commands = {
        name: [sys.executable, _HERE / "feeds.py", way, data, epochs] for name, way in _WAYS.items()
    }
    commands[_IN_MEMORY] = [other_python, _HERE / "in_memory.py", data]
    runs = {}
    for name, command in commands.items():
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        done = measured_process.run(command, env=env)
        runs[name] = json.loads(done.stdout) | {"peak_megabytes": done.peak_megabytes}
    return runs


def table(runs: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a table for a terminal."""
    lines = [f"{'':24} {'first epoch':>12} {'later':>10} {'job':>8} {'peak':>8} {'accuracy':>9}"]
    lines.append(f"{'':24} {'texts/s':>12} {'texts/s':>10} {'s':>8} {'MB':>8}")
    for name, run in runs.items():
        later = run["later_epoch_texts_per_second"]
        lines.append(
            f"{name:24} {run['first_epoch_texts_per_second']:12,.0f} "
            f"{f'{later:,.0f}' if later else '-':>10} {run['job_seconds']:8.1f} "
            f"{run['peak_megabytes']:8.0f} {run['accuracy']:9.4f}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="what `classifier train` takes")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="of a job, default 3")
    args = parser.parse_args()
    if not args.data.exists():
        parser.error(f"{args.data}: no such file or folder; give labelled texts")
    args.output.mkdir(parents=True, exist_ok=True)
    other_python = bench_environment.ensure()
    runs = measure(args.data.resolve(), args.epochs, other_python)
    files = args.data.rglob("*") if args.data.is_dir() else [args.data]
    result = {
        "megabytes": sum(path.stat().st_size for path in files if path.is_file()) / 1e6,
        "texts": next(iter(runs.values()))["texts"],
        "epochs": args.epochs,
        "runs": runs,
    }
    print(table(runs))
    written = args.output / "pipeline.json"
    written.write_text(json.dumps(result, indent=1) + "\n")
    subprocess.run(
        [other_python, _HERE / "draw.py", written, written.with_suffix(".png")], check=True
    )
    print(f"{written} and {written.with_suffix('.png')}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
