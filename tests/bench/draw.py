"""Draw what pipeline.py measured: `draw.py pipeline.json pipeline.png`, with matplotlib."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot, ticker

# What training does stands out; the colours are those of the picture of accuracies.
_COLOURS = {"vectorised once": "#c44e52", "scikit-learn, in memory": "#55a868"}
_OTHER_WAY = "#7f9fd0"
_PANELS = (
    ("later_epoch_texts_per_second", "texts a second, from the second epoch on"),
    ("job_seconds", "whole job, seconds"),
    ("peak_megabytes", "peak memory, MB"),
)


def main(source: str, target: str) -> None:
    result = json.loads(Path(source).read_text())
    names = list(result["runs"])
    colours = [_COLOURS.get(name, _OTHER_WAY) for name in names]
    figure, axes = pyplot.subplots(
        1, len(_PANELS), figsize=(12, 3.4), layout="constrained", sharey=True
    )
    for axis, (key, title) in zip(axes, _PANELS, strict=True):
        values = [result["runs"][name][key] for name in names]
        bars = axis.barh(names, [value or 0 for value in values], color=colours)
        told = [f"{value:,.0f}" if value else "reads the texts once" for value in values]
        axis.bar_label(bars, told, padding=3)
        axis.margins(x=0.25)
        axis.xaxis.set_major_locator(ticker.MaxNLocator(4))
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()  # all three, which share it
    figure.suptitle(f"{result['texts']:,} texts for training, {result['megabytes']:.0f} MB")
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
