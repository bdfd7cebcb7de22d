"""The report: complete, safe to open, beside the bundle and never half."""

import json
import os
import re
import shutil
from html.parser import HTMLParser

import pytest
from classifier import bundle
from classifier.__main__ import main
from classifier.training import charts, report, report_page
from classifier.training.errors import TrainError

NASTY = '<script>alert(1)</script> & "quoted" \x1b[31m \u202ereversed'


@pytest.fixture(scope="module")
def made(bundle_dir):
    return json.loads((report.folder_of(bundle_dir) / report.JSON_NAME).read_text("utf-8"))


class Tags(HTMLParser):
    """Checks that tags are closed in order; collects them with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.seen, self._open = [], []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def test_a_run_writes_both_files_beside_the_bundle_and_nothing_else(bundle_dir):
    folder = bundle_dir.with_name("bundle.report")
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "report.json"]
    assert sorted(p.name for p in bundle_dir.parent.iterdir()) == ["bundle", "bundle.report"]


def test_the_json_tells_what_the_bundle_tells(made, bundle_dir):
    found = bundle.load(bundle_dir)
    assert made["model_id"] == found.model_id
    assert made["labels"] == list(found.labels)
    assert made["metrics"]["accuracy"] == found.metrics["accuracy"]
    assert made["calibration"]["temperature"] == found.calibration["temperature"]
    assert made["run"]["seed"] == 1
    assert made["run"]["versions"] == found.card["training"]["versions"]
    assert made["run"]["settings"]["epochs"] == 12
    assert made["run"]["duration_seconds"] > 0


def test_the_json_sums_up_data_and_measurement(made):
    assert made["data"]["texts"]["food"] == {"training": 16, "validation": 2, "held_out": 2}
    assert made["data"]["words"]["texts"] == 48
    assert made["data"]["left_out"] == 0
    assert "only 6 texts to measure on" in " ".join(made["data"]["warnings"])
    assert len(made["curves"]) >= made["epochs"]
    assert sum(cell["texts"] for cell in made["confusion"]) == 6
    assert [row["support"] for row in made["per_label"]] == [2, 2, 2]
    low, high = made["metrics"]["accuracy_interval"]
    assert 0.5 < low < high == 1
    assert sum(point["texts"] for point in made["calibration"]["after"]) == 6


def test_strongest_words_are_words_of_the_label(made):
    assert {"dog", "cat", "hay", "vet"} & set(made["words"]["animals"])
    assert {"bread", "cake", "soup", "salad", "salt"} & set(made["words"]["food"])


def test_the_page_asks_for_nothing_and_runs_nothing(bundle_dir):
    page = (report.folder_of(bundle_dir) / report.PAGE_NAME).read_text("utf-8")
    tags = Tags(page).seen
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags}
    names = {name for _, attributes in tags for name in attributes}
    assert not {name for name in names if name in ("src", "href") or name.startswith("on")}
    assert not re.search(r"https?:|url\(|@import", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def with_many(made, count):
    """The report of a run with `count` labels, all of them mixed up with the next."""
    labels = [
        f"label <{place}> {NASTY}" if place == 0 else f"label {place}" for place in range(count)
    ]
    texts = {"training": 9, "validation": 1, "held_out": 4}
    cells = [
        {"label": labels[place], "given": labels[(place + step) % count], "texts": 2}
        for place in range(count)
        for step in (0, 1)
    ]
    mistake = {"text": NASTY * 40, "label": labels[0], "given": labels[1]}
    row = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 4}
    unseen = {"label": "unseen", "precision": None, "recall": None, "f1": None, "support": 0}
    return made | {
        "labels": labels,
        "confusion": cells,
        "per_label": [unseen, *({"label": label} | row for label in labels)],
        "data": made["data"] | {"texts": dict.fromkeys(labels, texts), "warnings": [NASTY]},
        "words": {label: [NASTY] for label in labels},
        "mistakes": [mistake | {"probability": 0.99, "label_probability": 0.01}],
    }


def test_texts_and_labels_are_text_on_the_page(made):
    page = report_page.render(with_many(made, 3))
    assert "script" not in {tag for tag, _ in Tags(page).seen}
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page


@pytest.mark.parametrize(("count", "drawn"), [(3, 3), (150, 150), (500, 200)])
def test_a_confusion_matrix_of_any_size_is_drawn(made, count, drawn):
    page = report_page.render(with_many(made, count))
    Tags(page)
    assert page.count('<rect class="right"') == drawn
    assert (f"200 of {count} labels" in page) == (drawn != count)
    assert len(page) < 600_000


def test_every_cell_tells_its_numbers():
    drawn = charts.heat_map("c", ["a", "b"], {(0, 0): 3, (0, 1): 1})
    assert "<title>a given as b: 1 (25%)</title>" in drawn
    assert drawn.count("<rect") == 3  # two cells and the ground


def test_charts_stand_a_single_point_and_no_spread():
    line = charts.Series("one", "a", [(1, 0.0)])
    drawn = charts.line_chart("t", [line], x_name="x", x_range=(1, 1), y_range=(0, 0))
    drawn += charts.bar_chart("t", [0], [0, 1], x_name="x")
    Tags(drawn)
    assert "nan" not in drawn


def test_a_report_takes_the_place_of_the_one_before(bundle_dir, made, tmp_path):
    copy = bundle.load(shutil.copytree(bundle_dir, tmp_path / "bundle"))
    for _ in range(2):
        page = report.write(copy, made)
    assert page == tmp_path / "bundle.report" / "report.html"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "bundle.report"]


def test_a_full_disk_leaves_no_half_report(bundle_dir, made, tmp_path, monkeypatch):
    copy = bundle.load(shutil.copytree(bundle_dir, tmp_path / "bundle"))

    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(TrainError, match="is complete, but its report could not be written: No sp"):
        report.write(copy, made)
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_that_is_no_report_is_never_replaced(data_dir, tmp_path, capsys):
    (tmp_path / "b.report").mkdir()
    (tmp_path / "b.report" / "thesis.doc").touch()
    assert main(["train", str(data_dir), "--output", str(tmp_path / "b")]) == 1
    assert "holds 'thesis.doc'" in capsys.readouterr().err
    assert (tmp_path / "b.report" / "thesis.doc").exists()
