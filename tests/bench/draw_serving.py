"""Draw what serving.py measured: `draw_serving.py serving.json serving.png`, with matplotlib."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

_PANELS = (
    ("cpu_us_per_request", "CPU per request, µs", "{:,.0f}"),
    ("requests_per_second", "requests per second", "{:,.0f}"),
    ("p50_ms", "p50, ms", "{:,.1f}"),
    ("p99_ms", "p99, ms", "{:,.1f}"),
    ("memory_mb", "memory of all processes, MB", "{:,.0f}"),
    ("start_seconds", "start to first answer, s", "{:,.2f}"),
)
_COLOURS = {"Frontdesk": "#c44e52", "Flask, constant": "#8c8c8c", "Nginx, constant": "#8c8c8c"}


def main(source: str, target: str) -> None:
    figures = json.loads(Path(source).read_text())["medians"]
    names = sorted(figures, key=lambda name: figures[name]["cpu_us_per_request"])
    figure, axes = pyplot.subplots(2, 3, figsize=(15, 7.5), layout="constrained", sharey=True)
    for axis, (key, title, form) in zip(axes.flat, _PANELS, strict=True):
        values = [figures[name][key] for name in names]
        colours = [_COLOURS.get(name, "#4c72b0") for name in names]
        bars = axis.barh(names, values, color=colours)
        axis.bar_label(bars, [form.format(value) for value in values], padding=3)
        axis.set_xscale("log")
        axis.set_title(f"{title} (logarithmic)")
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.25)
    axes[0][0].invert_yaxis()  # shared by all panels
    figure.suptitle("One text of 200 words a request: ours red, limits grey; medians of one run")
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
