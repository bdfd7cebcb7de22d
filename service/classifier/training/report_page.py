"""The report as one HTML page that needs nothing else: no script, no font, no request."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from classifier.serving.tokenizer import TEXT_END, TEXT_START
from classifier.training import charts, confusion
from classifier.training.charts import Series, text
from classifier.training.durations import duration
from classifier.training.page_parts import bar, section, share, table

_MISTAKE_CHARS = 700
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(report: Mapping[str, Any]) -> str:
    """Return the page for what `report.collect` found."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    title = f"Training report: {report['bundle']}"
    sections = [
        _summary(report),
        section("The data", _data(report)),
        section("Learning", _learning(report)),
        section("Where labels are mixed up", confusion.draw(report)),
        section("Each label", _labels(report)),
        section("Probabilities", _calibration(report)),
        section("Surest mistakes", _mistakes(report)),
        section("Strongest words", _words(report)),
        section("The run", _run(report)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{text(title)}</h1>\n" + "\n".join(sections) + "\n</main>\n</body>\n</html>\n"
    )


def _summary(report: Mapping[str, Any]) -> str:
    metrics, calibration = report["metrics"], report["calibration"]
    low, high = metrics["accuracy_interval"]
    tiles = [
        ("Accuracy", f"{metrics['accuracy']:.1%}", f"95 % interval {low:.1%} to {high:.1%}"),
        ("Macro F1", f"{metrics['macro_f1']:.3f}", f"mean over {len(report['labels'])} labels"),
        (
            "Calibration error",
            f"{calibration['ece_after']:.3f}",
            f"{calibration['ece_before']:.3f} before temperature {calibration['temperature']:.2f}",
        ),
        (
            "Measured on",
            f"{metrics['held_out_texts']:,}",
            f"texts held out, with the model of {metrics['training_texts']:,} others"
            + _refit(metrics["training_texts"], metrics.get("fitted_texts")),
        ),
    ]
    drawn = "".join(
        f"<div><dt>{name}</dt><dd>{value}<small>{text(note)}</small></dd></div>"
        for name, value, note in tiles
    )
    return f'<dl class="tiles">{drawn}</dl>'


def _refit(measured: int, delivered: int | None) -> str:
    return f"; delivered: fitted to {delivered:,}" if delivered and delivered > measured else ""


def _data(report: Mapping[str, Any]) -> str:
    data = report["data"]
    texts = data["texts"]
    sums = [sum(row[part] for row in texts.values()) for part in _PART_NAMES]
    rows = sorted(texts.items(), key=lambda item: -item[1]["training"])
    counts = table(
        ["Label", *(_PART_NAMES[part] for part in _PART_NAMES)],
        [[text(label), *(f"{row[part]:,}" for part in _PART_NAMES)] for label, row in rows],
        [["All", *(f"{total:,}" for total in sums)]],
    )
    words = data["words"]
    quantiles = words["quantiles"]
    spread = (
        f"<p>Half of the texts have {charts.number(quantiles['0.25'])} to "
        f"{charts.number(quantiles['0.75'])} words; the shortest has "
        f"{charts.number(quantiles['0'])}, the longest {charts.number(quantiles['1'])} "
        f"(of {words['texts']:,} texts looked at). "
        f"{report['statistics']['unknown_words']['share']:.1%} of the words in the held-out texts "
        f"are unknown to the model. {data['left_out']:,} texts were left out.</p>"
    )
    histogram = words["histogram"]
    chart = charts.bar_chart(
        "Words in a text", histogram["counts"], histogram["ends"], x_name="words"
    )
    return _warnings(data["warnings"]) + spread + chart + counts


_PART_NAMES = {"training": "Training", "validation": "Validation", "held_out": "Held out"}


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return "<p>No warnings.</p>"
    items = "".join(f"<li>{text(line)}</li>" for line in warnings)
    return f'<ul class="warnings">{items}</ul>'


def _learning(report: Mapping[str, Any]) -> str:
    curves = report["curves"]

    def line(name: str, kind: str, key: str) -> Series:
        return Series(name, kind, [(place, row[key]) for place, row in enumerate(curves, 1)])

    span = (1, max(len(curves), 2))
    most = max(max(row["loss"], row["validation_loss"]) for row in curves)
    least = min(min(row["accuracy"], row["validation_accuracy"]) for row in curves)
    common = {"x_name": "epoch", "x_range": span, "mark": report["epochs"]}
    loss = [line("training", "b", "loss"), line("validation", "a", "validation_loss")]
    right = [line("training", "b", "accuracy"), line("validation", "a", "validation_accuracy")]
    return (
        f"<p>{len(curves)} epochs; the model is that of epoch {report['epochs']}, where the "
        "validation loss was least (the upright line).</p>"
        '<div class="charts">'
        + charts.line_chart("Loss", loss, y_range=(0, most), **common)
        + charts.line_chart("Accuracy", right, y_range=(least * 0.95, 1), **common)
        + "</div>"
    )


def _labels(report: Mapping[str, Any]) -> str:
    rows = sorted(report["per_label"], key=lambda row: (row["f1"] is None, row["f1"], row["label"]))
    return "<p>The weakest first.</p>" + table(
        ["Label", "F1", "Precision", "Recall", "Texts"],
        [
            [
                text(row["label"]),
                bar(row["f1"]),
                share(row["precision"]),
                share(row["recall"]),
                f"{row['support']:,}",
            ]
            for row in rows
        ],
    )


def _calibration(report: Mapping[str, Any]) -> str:
    found = report["calibration"]

    def line(name: str, kind: str, points: Iterable[Mapping[str, float]]) -> Series:
        return Series(name, kind, [(point["confidence"], point["accuracy"]) for point in points])

    curve = charts.line_chart(
        "How often an answer of some probability is right",
        [
            Series("ideal", "ideal", [(0, 0), (1, 1)]),
            line("before", "b", found["before"]),
            line("as exported", "a", found["after"]),
        ],
        x_name="probability",
        x_range=(0, 1),
        y_range=(0, 1),
    )
    histogram = report["statistics"]["confidence"]["histogram"]
    ends = [place / len(histogram) for place in range(len(histogram) + 1)]
    bars = charts.bar_chart("Probabilities given", histogram, ends, x_name="probability")
    return (
        f"<p>Logits are divided by the temperature {found['temperature']:.3f}, found on the "
        f"validation texts. Expected calibration error over {found['bins']} bins: "
        f"{found['ece_before']:.4f} before, {found['ece_after']:.4f} after.</p>"
        f'<div class="charts">{curve}{bars}</div>'
    )


def _mistakes(report: Mapping[str, Any]) -> str:
    if not report["mistakes"]:
        return "<p>None.</p>"
    items = []
    for item in report["mistakes"]:
        whole = item["text"]
        shown = whole if len(whole) <= _MISTAKE_CHARS else f"{whole[:_MISTAKE_CHARS]}…"
        items.append(
            f"<li><p><b>{text(item['given'])}</b> {item['probability']:.1%}, labelled "
            f"<b>{text(item['label'])}</b> {item['label_probability']:.1%}</p>"
            f"<blockquote><bdi>{text(shown)}</bdi></blockquote></li>"
        )
    return (
        "<p>Some of these may be labelled wrongly in the data.</p>"
        f'<ol class="mistakes">{"".join(items)}</ol>'
    )


def _words(report: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<div><dt>{text(label)}</dt><dd>"
        + (" ".join(f"<bdi>{text(word)}</bdi>" for word in found) or "none")
        + "</dd></div>"
        for label, found in report["words"].items()
    )
    return (
        "<p>Words, and pairs of words side by side, that speak most for a label when they stand "
        f"alone. {text(TEXT_START)} and {text(TEXT_END)} are where a text begins and ends.</p>"
        f'<dl class="words">{rows}</dl>'
    )


def _run(report: Mapping[str, Any]) -> str:
    run = report["run"]
    model = run["model"]
    facts = {
        "Model id": report["model_id"],
        "Made": report["created"],
        "Data": report["data"]["source"],
        "Data digest": run["data_digest"],
        "Network": f"{model['file']}:{model['function']}" if model else "default",
        "Vocabulary": f"{run['vocabulary']:,} words, pairs and pieces of words",
        "Bundle": f"{run['bundle_megabytes']} MB",
        "Duration": duration(run["duration_seconds"]),
        "Peak memory": f"{run['peak_memory_megabytes']:,.0f} MB",
        "Seed": run["seed"],
        **run["versions"],
        **{f"--{name.replace('_', '-')}": value for name, value in run["settings"].items()},
    }
    return table(
        ["", ""],
        [
            [text(name), text(value if isinstance(value, str) else json.dumps(value))]
            for name, value in facts.items()
        ],
        left=2,
    )
