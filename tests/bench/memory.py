"""Does the memory of training stay flat? Peak memory of two trainings, one on 4 times the data.

    python tests/bench/memory.py --output build/bench            0.7 and 2.8 GB of made-up texts
    python tests/bench/memory.py --output build/bench --megabytes 100 --require 2

Prints a table, writes memory.json, and exits with 1 when the growth is more than --require.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import made_up_texts
import measured_process

_TIMES = 4
_SERVICE = Path(__file__).resolve().parents[2] / "service"


def measure(megabytes: float, folder: Path, options: list[str]) -> dict[str, float]:
    """Train once on `megabytes` of made-up texts and return what it took."""
    data = folder / "data.csv"
    texts = made_up_texts.write_table(data, megabytes)
    command = [sys.executable, "-m", "classifier", "train", data, "--output", folder / "bundle"]
    done = measured_process.run([*command, "--epochs", "1", *options], cwd=_SERVICE)
    size = data.stat().st_size / 1e6
    data.unlink()
    return {
        "data_megabytes": size,
        "texts": texts,
        "peak_megabytes": done.peak_megabytes,
        "seconds": done.seconds,
        "accuracy": json.loads(done.stdout)["accuracy"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--megabytes", type=float, default=700, metavar="N", help="default 700")
    parser.add_argument("--require", type=float, default=1.15, metavar="N", help="default 1.15")
    args, options = parser.parse_known_args()
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for megabytes in (args.megabytes, _TIMES * args.megabytes):
        with tempfile.TemporaryDirectory(dir=args.output, prefix="memory-") as folder:
            rows.append(measure(megabytes, Path(folder).resolve(), options))
            print(
                "{data_megabytes:7.0f} MB  {texts:8} texts  peak {peak_megabytes:6.0f} MB  "
                "{seconds:5.0f} s  accuracy {accuracy:.4f}".format(**rows[-1]),
                flush=True,
            )
    growth = rows[1]["peak_megabytes"] / rows[0]["peak_megabytes"]
    print(f"growth {growth:.3f} with {_TIMES} times the data (at most {args.require:g})")
    result = {"runs": rows, "growth": growth, "required": args.require}
    (args.output / "memory.json").write_text(json.dumps(result, indent=1) + "\n")
    return int(growth > args.require)


if __name__ == "__main__":
    sys.exit(main())
