"""Small charts as inline SVG. Colours come from the page's style: light and dark work the same."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 34
_TICKS = 5
_LABEL_CHARS = 22
# Invisible control characters would be parse errors, and say nothing to a reader.
_VISIBLE = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


@dataclass(frozen=True)
class Series:
    """A line of a chart: its name, its class in the style sheet, and (x, y) points."""

    name: str
    kind: str
    points: Sequence[tuple[float, float]]


def line_chart(  # noqa: PLR0913 - all but the first two by name
    title: str,
    series: Sequence[Series],
    *,
    x_name: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    mark: float | None = None,
) -> str:
    """Return lines with dots over two axes; `mark` draws an upright line at that x."""
    frame = _Frame(x_range, y_range)
    parts = [*frame.axes(x_name)]
    if mark is not None:
        x = frame.x(mark)
        parts.append(f'<path class="mark" d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
    for one in series:
        places = [(frame.x(x), frame.y(y)) for x, y in one.points]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path class="line {one.kind}" d="M{line}"/>')
        parts += [
            f'<circle class="dot {one.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
            f"<title>{text(one.name)}: {number(value)}</title></circle>"
            for (x, y), (_, value) in zip(places, one.points, strict=True)
        ]
    keys = "".join(f'<span class="key {one.kind}">{text(one.name)}</span>' for one in series)
    return _figure(title, f"0 0 {_WIDTH} {_HEIGHT}", parts, keys)


def bar_chart(title: str, counts: Sequence[int], ends: Sequence[float], *, x_name: str) -> str:
    """Return bars for `counts`, between one more `ends`."""
    frame = _Frame((0, len(counts)), (0, max(counts) or 1))
    parts = [*frame.y_axis()]
    width = frame.x(1) - frame.x(0)
    for place, count in enumerate(counts):
        y = frame.y(count)
        told = f"{number(ends[place])} to {number(ends[place + 1])}: {count}"
        parts.append(
            f'<rect class="bar" x="{frame.x(place) + 1:.1f}" y="{y:.1f}" '
            f'width="{max(width - 2, 1):.1f}" height="{frame.y(0) - y:.1f}">'
            f"<title>{told}</title></rect>"
        )
    every = math.ceil(len(ends) / 8)
    for place in range(0, len(ends), every):
        parts.append(
            f'<text class="tick" x="{frame.x(place):.1f}" y="{_HEIGHT - _BOTTOM + 14}" '
            f'text-anchor="middle">{number(ends[place])}</text>'
        )
    parts.append(frame.x_title(x_name))
    return _figure(title, f"0 0 {_WIDTH} {_HEIGHT}", parts)


def heat_map(title: str, labels: Sequence[str], counts: Mapping[tuple[int, int], int]) -> str:
    """Return a grid, the true label down and the given one across; only cells that count are drawn.

    Strong colour is a large share of the true label's texts. Every cell tells its numbers on hover.
    The labels are drawings of their own, so that they stay in sight while the grid is scrolled.
    """
    cell = 34 if len(labels) <= 12 else 22 if len(labels) <= 30 else 12
    room = 8 + round(0.58 * 11 * min(_LABEL_CHARS, max(map(len, labels))))
    size = cell * len(labels)
    left, top = [], []
    for place, label in enumerate(labels):
        middle = cell * (place + 0.5) + 4
        name = text(label if len(label) <= _LABEL_CHARS else f"{label[: _LABEL_CHARS - 1]}…")
        left.append(f'<text class="name" x="{room - 5}" y="{middle}">{name}</text>')
        turned = f'transform="translate({middle} {room - 5}) rotate(-90)"'
        top.append(f"<text {turned}>{name}</text>")
    whole = f'<rect class="ground" width="{size}" height="{size}"/>'
    grid = [whole, *_rulers(len(labels), cell, size), *_cells(labels, counts, cell)]
    return (
        f'<div class="scroll map" tabindex="0" role="region" aria-label="{text(title)}">'
        f'<div class="corner"></div>{_sized(top, size, room, "top")}'
        f"{_sized(left, room, size, 'left')}{_sized(grid, size, size, 'grid')}</div>"
    )


def _cells(
    labels: Sequence[str], counts: Mapping[tuple[int, int], int], cell: int
) -> Iterator[str]:
    totals = [0] * len(labels)
    for (row, _), count in counts.items():
        totals[row] += count
    for (row, column), count in sorted(counts.items()):
        if not count:
            continue
        share = count / totals[row]
        kind = "right" if row == column else "wrong"
        x, y = cell * column, cell * row
        told = text(f"{labels[row]} given as {labels[column]}: {count} ({share:.0%})")
        yield (
            f'<rect class="{kind}" x="{x}" y="{y}" width="{cell}" height="{cell}" '
            f'fill-opacity="{0.12 + 0.88 * math.sqrt(share):.2f}"><title>{told}</title></rect>'
        )
        if cell >= 22 and count < 10 ** (cell // 8):
            ink = " strong" if share > 0.3 else ""
            middle = f'x="{x + cell / 2}" y="{y + cell / 2 + 4}"'
            yield f'<text class="count{ink}" {middle}>{count}</text>'


def text(value: object) -> str:
    """Return a value as text on a page: escaped, control characters made visible."""
    return html.escape(str(value).translate(_VISIBLE))


def number(value: float) -> str:
    """Return a number as short as it can be read."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


class _Frame:
    """Two axes and where values lie between them."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self._x, self._y = x_range, y_range

    def x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / ((high - low) or 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        share = (value - low) / ((high - low) or 1)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def y_axis(self) -> list[str]:
        parts = []
        for value in _ticks(*self._y):
            y = self.y(value)
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
            parts.append(
                f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
                f"{number(value)}</text>"
            )
        return parts

    def axes(self, x_name: str) -> list[str]:
        parts = self.y_axis()
        for value in _ticks(*self._x):
            parts.append(
                f'<text class="tick" x="{self.x(value):.1f}" y="{_HEIGHT - _BOTTOM + 14}" '
                f'text-anchor="middle">{number(value)}</text>'
            )
        return [*parts, self.x_title(x_name)]

    def x_title(self, name: str) -> str:
        place = f'x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 4}"'
        return f'<text class="tick" {place} text-anchor="middle">{text(name)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, about five."""
    rough = (high - low) / _TICKS or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _rulers(count: int, cell: int, size: int) -> list[str]:
    """A faint line every label, or every five of many, for the eye to follow."""
    places = range(0, size + 1, cell * (1 if count <= 30 else 5))
    return [f'<path class="rule" d="M0 {place}h{size}M{place} 0v{size}"/>' for place in places]


def _sized(parts: Sequence[str], width: int, height: int, kind: str) -> str:
    return f'<svg class="{kind}" width="{width}" height="{height}">{"".join(parts)}</svg>'


def _figure(title: str, box: str, parts: Sequence[str], keys: str = "") -> str:
    return (
        f"<figure><figcaption>{text(title)}</figcaption>"
        f'<svg viewBox="{box}" role="img" aria-label="{text(title)}">{"".join(parts)}</svg>'
        f'<div class="keys">{keys}</div></figure>'
    )
