"""Draw what prove_releases.py found: `draw_releases.py build/proof`, with matplotlib.

The environment of the benchmarks has it: build/bench-venv/bin/python.
"""

import csv
import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot


def main(folder: Path) -> None:
    found = json.loads((folder / "releases.json").read_text())
    with (folder / "releases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    colours = {
        release: f"C{number}" for number, release in enumerate({r["release"]: 0 for r in rows})
    }
    answered = [row for row in rows if not row["failure"]]
    lost = [float(row["due_seconds"]) for row in rows if row["failure"]]
    figure, axis = pyplot.subplots(figsize=(15, 5), layout="constrained")
    axis.scatter(
        [float(row["due_seconds"]) for row in answered],
        [float(row["milliseconds"]) for row in answered],
        s=1, c=[colours[row["release"]] for row in answered],
    )  # fmt: skip
    for number, moment in enumerate(found["moments"]):
        axis.axvline(moment, color="#999999", linewidth=0.7, label=None if number else "a switch")
    axis.plot(lost, [1] * len(lost), "rx", label=f"{len(lost)} requests lost")
    axis.set(yscale="log", xlabel="seconds", ylabel="milliseconds from when a request was due")
    ratio = found["switches"]
    axis.set_title(
        f"{len(rows):,} requests, {len(lost)} lost; p99 around {ratio['switches']} switches "
        f"{ratio['switch_p99_ms']} ms, quiet {ratio['quiet_p99_ms']} ms. Each colour is a release."
    )
    axis.legend(loc="upper left")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "releases.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
