"""The page keeps within its Content-Security-Policy and can be read by everybody."""

import re
from html.parser import HTMLParser
from itertools import pairwise, product
from pathlib import Path

import pytest

WEB_DIR = Path(__file__).parents[2] / "service" / "web"
FILES = sorted(path.name for path in WEB_DIR.iterdir())
URL_ATTRIBUTES = {"src", "href", "action", "formaction", "poster", "srcset", "data"}


class Page(HTMLParser):
    """All elements of a page, as (tag, attributes, text directly inside)."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict, list[str]]] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def having(self, tag: str) -> list[dict]:
        return [attributes for found, attributes, _ in self.elements if found == tag]


@pytest.fixture(scope="module")
def page():
    return Page((WEB_DIR / "index.html").read_text())


@pytest.fixture(scope="module")
def script():
    return "\n".join(path.read_text() for path in sorted(WEB_DIR.glob("*.js")))


@pytest.fixture(scope="module")
def styles():
    return (WEB_DIR / "app.css").read_text()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_asked_of_other_hosts(name):
    source = (WEB_DIR / name).read_text()
    source = source.replace('xmlns="http://www.w3.org/2000/svg"', "")  # a name, never fetched
    assert not re.search(r"(?:https?:|wss?:)?//[a-z0-9]", source, re.IGNORECASE)
    assert "@import" not in source


def test_every_address_in_the_page_is_a_file_beside_it_or_a_place_in_it(page):
    addresses = [
        value
        for _, attributes, _ in page.elements
        for name, value in attributes.items()
        if name in URL_ATTRIBUTES
    ]
    files = {address for address in addresses if not address.startswith("#")}
    assert files == set(FILES) - {"index.html"}  # every module is sent for at once
    places = {attributes.get("id") for _, attributes, _ in page.elements}
    views = {f"view-{name}" for name in ("text", "file", "model")}
    assert {f"#{name.removeprefix('view-')}" for name in views} | {"#main"} == (
        set(addresses) - files
    )
    assert views | {"main"} <= places


def test_every_module_that_is_imported_is_a_file_beside_it(script):
    imported = set(re.findall(r'from "\./([^"]+)"', script))
    assert imported == {name for name in FILES if name.endswith(".js")} - {"app.js"}


def test_nothing_in_the_page_is_inline(page):
    for tag, attributes, text in page.elements:
        assert tag != "style"
        assert tag != "script" or ("src" in attributes and not "".join(text).strip())
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize(
    "forbidden", ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "Function(", "cssText"]
)
def test_the_script_makes_no_markup_or_code_of_text(script, forbidden):
    assert forbidden not in script
    assert 'setAttribute("style"' not in script


def test_every_element_the_script_uses_is_there(page, script):
    used = set(re.findall(r'(?:element|tell)\("([^"]+)"', script))
    assert used
    assert used <= {attributes.get("id") for _, attributes, _ in page.elements}


def test_every_field_has_a_label(page):
    labelled = {label.get("for") for label in page.having("label")}
    fields = [item for tag in ("textarea", "input", "select") for item in page.having(tag)]
    assert fields
    assert {field["id"] for field in fields} <= labelled


def test_changes_are_announced_to_screen_readers(page):
    roles = {attributes.get("id"): attributes.get("role") for _, attributes, _ in page.elements}
    assert roles["spoken"] == "status"
    assert roles["text-problem-words"] == roles["file-problem"] == "alert"


def test_the_page_names_its_language_title_and_width(page):
    assert page.having("html")[0]["lang"] == "en"
    assert len(page.having("title")) == 1
    viewport = next(meta for meta in page.having("meta") if meta.get("name") == "viewport")
    assert viewport["content"] == "width=device-width, initial-scale=1"
    assert all("alt" in image for image in page.having("img"))


def test_headings_skip_no_level(page):
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb" as WCAG 2 defines it."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


READABLE = [  # text needs 4.5, the edge of a field and a bar that means something need 3
    *(
        (text, ground, 4.5)
        for text, ground in product(["text", "quiet"], ["page", "card", "field"])
    ),
    ("on-accent", "accent", 4.5),
    ("problem", "problem-card", 4.5),
    ("text", "track", 4.5),
    ("quiet", "page", 4.5),
    ("problem", "card", 4.5),
    ("for", "card", 3),
    ("against", "card", 3),
    ("line", "card", 3),
    ("line", "field", 3),
    ("accent", "card", 3),
    ("accent", "track", 3),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), READABLE)
def test_colours_contrast_enough(styles, scheme, front, back, least):
    colours: dict[str, str] = {}
    blocks = re.findall(r":root \{(.*?)\}", styles, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks[: 1 if scheme == "light" else 2]:
        colours.update(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    assert contrast(colours[front], colours[back]) >= least
