"""Draw what accuracy.py measured: `draw_accuracy.py accuracy.json accuracy.png`, in matplotlib."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

_OURS, _TUTORIAL = "#c44e52", "#b0b0b0"
_RIVALS = ("#4c72b0", "#7f9fd0", "#55a868", "#8fcf9f")


def main(source: str, target: str) -> None:
    sets = json.loads(Path(source).read_text())
    figure, axes = pyplot.subplots(
        1, len(sets), figsize=(3.6 * len(sets), 3.4), layout="constrained", squeeze=False
    )
    for axis, (name, runs) in zip(axes[0], sets.items(), strict=True):
        found = {way: run["accuracy"] for way, run in runs.items() if "accuracy" in run}
        colours = [_OURS, *_RIVALS, _TUTORIAL]
        bars = axis.barh(list(found), list(found.values()), color=colours)
        axis.bar_label(bars, [f"{value:.3f}" for value in found.values()], padding=3)
        low, high = min(found.values()), max(found.values())
        axis.set_xlim(max(0, low - (high - low) * 0.3), high + (high - low) * 0.35 + 0.002)
        axis.invert_yaxis()
        axis.set_title(name)
        axis.spines[["top", "right"]].set_visible(False)
        if axis is not axes[0][0]:
            axis.set_yticklabels([])
    figure.suptitle("accuracy on texts that no way was trained on")
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
