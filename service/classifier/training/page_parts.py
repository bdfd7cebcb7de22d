"""Pieces of HTML that the sections of the report are made of."""

from collections.abc import Sequence

from classifier.training.charts import text


def section(title: str, body: str) -> str:
    """Return a part of the page with its heading."""
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>"


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    foot: Sequence[Sequence[str]] = (),
    left: int = 1,
) -> str:
    """A table of ready HTML cells; the first `left` columns hold words, the others numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["" if place < left else ' class="n"' for place in range(len(cells))]
        drawn = (f"<{tag}{k}>{cell}</{tag}>" for k, cell in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(drawn)}</tr>"

    head = f"<thead>{line([text(head) for head in heads], 'th')}</thead>" if any(heads) else ""
    body = f"<tbody>{''.join(line(row, 'td') for row in rows)}</tbody>"
    end = f"<tfoot>{''.join(line(row, 'td') for row in foot)}</tfoot>" if foot else ""
    return f'<div class="scroll" tabindex="0"><table>{head}{body}{end}</table></div>'


def bar(value: float | None) -> str:
    """Return a share of 1 drawn and written."""
    if value is None:
        return "-"
    return f'<meter min="0" max="1" value="{value:.3f}"></meter> {value:.3f}'


def share(value: float | None) -> str:
    """Return a share of 1 as it is written; a dash where it is undefined."""
    return "-" if value is None else f"{value:.3f}"
