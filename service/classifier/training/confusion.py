"""The section of the report on which labels are taken for which, readable for 2 labels or 150."""

from collections.abc import Mapping, Sequence
from typing import Any

from classifier.training import charts, page_parts
from classifier.training.charts import text

_MOST_DRAWN = 200  # labels in the confusion matrix; of more, those with most mistakes
_MOST_PAIRS = 20


def draw(report: Mapping[str, Any]) -> str:
    """Return the matrix and a table of the most frequent mix-ups."""
    cells = report["confusion"]
    wrong = [cell for cell in cells if cell["label"] != cell["given"]]
    labels, note = _drawn_labels(report["labels"], wrong)
    order = {label: place for place, label in enumerate(labels)}
    counts = {
        (order[cell["label"]], order[cell["given"]]): cell["texts"]
        for cell in cells
        if cell["label"] in order and cell["given"] in order
    }
    support = {row["label"]: row["support"] for row in report["per_label"]}
    pairs = sorted(wrong, key=lambda cell: -cell["texts"])[:_MOST_PAIRS]
    rows = [
        [
            text(cell["label"]),
            text(cell["given"]),
            str(cell["texts"]),
            f"{cell['texts'] / support[cell['label']]:.0%}",
        ]
        for cell in pairs
    ]
    found = page_parts.table(["Label", "Given as", "Texts", "Of the label"], rows, left=2)
    return (
        f"<p>Down: the label of the text. Across: the label given. {note}</p>"
        + charts.heat_map("Confusion matrix", labels, counts)
        + (f"<h3>Most frequent mix-ups</h3>{found}" if pairs else "<p>No mistakes.</p>")
    )


def _drawn_labels(
    labels: Sequence[str], wrong: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[str], str]:
    if len(labels) <= _MOST_DRAWN:
        return labels, ""
    mistakes = dict.fromkeys(labels, 0)
    for cell in wrong:
        mistakes[cell["label"]] += cell["texts"]
    chosen = set(sorted(labels, key=lambda label: -mistakes[label])[:_MOST_DRAWN])
    note = f"Drawn are the {_MOST_DRAWN} of {len(labels)} labels with most mistakes."
    return [label for label in labels if label in chosen], note
