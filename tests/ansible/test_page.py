"""What Nginx serves of the page: named by content, compressed, and whole."""

import gzip
import re
import time

import page
import pytest

SOURCES = {
    "index.html": '<link href="app.css"><script src="app.js"></script> app.css',
    "app.css": 'body { background: url("icon.svg") }',
    "app.js": 'import { a } from "./part.js";',
    "part.js": "export const a = 1;",
    "icon.svg": "<svg/>",
}


@pytest.fixture
def make(tmp_path):
    """Make the page of the sources, some of them changed: make(**{name: text}) -> {name: bytes}."""

    def made(**changed):
        at = tmp_path / str(len(list(tmp_path.iterdir())))
        (at / "sources").mkdir(parents=True)
        for name, text in (SOURCES | changed).items():
            (at / "sources" / name).write_text(text)
        return {
            name: path.read_bytes() for name, path in page.make(at / "sources", at / "made").items()
        }

    return made


def by_source(names):
    return {re.sub(r"\.[0-9a-f]{16}(?=\.)", "", name): name for name in names}


def test_every_file_but_the_entry_is_named_by_its_content(make):
    made = by_source(make())
    assert made["index.html"] == "index.html"
    others = {name for name in made if not name.startswith("index.html")}
    assert {name.removesuffix(".gz") for name in others} == {
        "assets/app.css", "assets/app.js", "assets/part.js", "assets/icon.svg"
    }  # fmt: skip
    assert all(made[name] != name for name in others)


def test_every_reference_leads_to_what_was_made(make):
    made = make()
    names = by_source(made)
    assert made["index.html"].decode() == (
        f'<link href="{names["assets/app.css"]}"><script src="{names["assets/app.js"]}"></script>'
        " app.css"
    )
    part = names["assets/part.js"].removeprefix("assets/")
    assert made[names["assets/app.js"]].decode() == f'import {{ a }} from "./{part}";'


@pytest.mark.parametrize(
    ("changed", "renamed"),
    [
        ("part.js", {"app.js", "part.js"}),
        ("icon.svg", {"app.css", "icon.svg"}),
        ("app.css", {"app.css"}),
        ("index.html", set()),
    ],
)
def test_a_change_renames_a_file_and_all_that_refer_to_it_and_no_other(make, changed, renamed):
    before, after = make(), make(**{changed: SOURCES[changed] + "\n"})
    gone = {name.removeprefix("assets/") for name in by_source(before.keys() - after.keys())}
    assert {name for name in gone if not name.endswith(".gz")} == renamed
    assert before["index.html"] != after["index.html"]


def test_every_file_lies_compressed_beside_itself(make):
    made = make()
    plain = [name for name in made if not name.endswith(".gz")]
    assert {name: gzip.decompress(made[f"{name}.gz"]) for name in plain} == {
        name: made[name] for name in plain
    }


def test_the_same_sources_are_the_same_bytes_at_another_time(make, monkeypatch):
    before = make()
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000)
    assert make() == before


def test_files_that_refer_to_each_other_in_a_circle_are_refused(make):
    with pytest.raises(page.PageError, match=r"app.js -> part.js -> app.js"):
        make(**{"part.js": 'import "./app.js";'})


def test_a_page_without_its_entry_is_refused(tmp_path):
    with pytest.raises(page.PageError, match=r"has no index.html"):
        page.make(tmp_path, tmp_path / "made")
