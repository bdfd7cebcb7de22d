"""Draw what pipeline.py measured: `draw.py pipeline.json pipeline.png`, with matplotlib."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

_PANELS = (
    ("later_epoch_texts_per_second", "texts a second, from the second epoch on"),
    ("job_seconds", "whole job, seconds"),
    ("peak_megabytes", "peak memory, MB"),
)


def main(source: str, target: str) -> None:
    result = json.loads(Path(source).read_text())
    names = list(result["runs"])
    figure, axes = pyplot.subplots(1, len(_PANELS), figsize=(14, 3.6), layout="constrained")
    for axis, (key, title) in zip(axes, _PANELS, strict=True):
        values = [result["runs"][name][key] for name in names]
        colours = ["#c44e52" if name.startswith("scikit") else "#4c72b0" for name in names]
        bars = axis.barh(names, [value or 0 for value in values], color=colours)
        axis.bar_label(bars, [f"{value:,.0f}" if value else "-" for value in values], padding=3)
        axis.margins(x=0.18)
        axis.invert_yaxis()
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{result['texts']:,} texts for training, {result['megabytes']:.0f} MB")
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
