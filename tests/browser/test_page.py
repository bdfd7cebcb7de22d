"""The page as a whole: accessible, in every scheme and width, from Nginx alone."""

import json
import re
import shutil
import urllib.error
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

TEXT = "I was charged twice this month, please refund the second payment on my card."
LONG = "\n".join(f"{TEXT} Parcel number {number} is late as well." for number in range(40))
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
    "img-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip


def typed(page):
    page.fill("#text", TEXT)
    expect(page.locator("#why")).to_be_visible()


def typed_long(page):
    page.fill("#text", LONG)
    expect(page.locator("#why")).to_be_visible()


def refused(page):
    page.expected = ("net::ERR_FAILED",)
    page.route("**/v1/classify", lambda route: route.abort())
    page.fill("#text", TEXT)
    expect(page.locator("#text-problem")).to_be_visible()


def planned(page):
    page.set_input_files(
        "#chosen",
        {"name": "a.csv", "mimeType": "text/csv", "buffer": f"id,text\n1,{TEXT}".encode()},
    )
    expect(page.locator("#plan")).to_be_visible()


def done(page):
    planned(page)
    page.click("#start")
    expect(page.locator("#download")).to_be_visible()


def loaded(page):
    expect(page.locator("#card .tiles")).to_be_visible()


STATES = {
    "text": lambda page: None, "text-answer": typed, "text-long": typed_long,
    "text-refused": refused, "file": lambda page: None, "file-plan": planned, "file-done": done,
    "model": loaded,
}  # fmt: skip


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_nothing_bars_people_and_nothing_is_cut_off(look, state, scheme, width):
    page = look(
        state.partition("-")[0], color_scheme=scheme, reduced_motion="reduce",
        viewport={"width": width, "height": 800},
    )  # fmt: skip
    expect(page.locator("#identity")).not_to_be_empty()
    STATES[state](page)
    expect(page.locator(".stale:visible")).to_have_count(0)
    found = Axe().run(page).response
    grave = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in grave] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_and_light_differ(look):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert look(color_scheme="light").evaluate(ground) != look(color_scheme="dark").evaluate(ground)


def test_those_who_want_no_motion_get_none(look):
    page = look(reduced_motion="reduce")
    typed(page)
    moving = "getComputedStyle(document.querySelector('.fill')).transitionDuration"
    assert page.evaluate(moving) == "0s"


def test_every_control_is_reached_with_the_tab_key_and_seen(look):
    page = look()
    typed(page)
    focus = "(({ id, textContent }) => id || textContent)(document.activeElement)"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    reached = []
    page.locator("#text").focus()
    for key in ["Shift+Tab"] * 4 + ["Tab"] * 5:
        page.keyboard.press(key)
        reached.append((page.evaluate(focus), page.evaluate(outline) != "none"))
    before = ["Model", "File", "Text", "Skip to the content"]
    assert reached == [(name, True) for name in [*before, "Text", "File", "Model", "text", "clear"]]


def test_views_have_addresses_and_the_way_back_works(look):
    page = look()
    page.get_by_role("link", name="Model").click()
    expect(page.get_by_role("heading", name="The model that answers")).to_be_visible()
    expect(page.get_by_role("link", name="Model")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.locator("#text")).to_be_visible()
    expect(page.locator("#view-model")).to_be_hidden()


def test_the_card_is_the_live_models_own(look):
    page = look("model")
    with urllib.request.urlopen(f"{page.url.partition('#')[0]}v1/model") as told:  # noqa: S310 - the host above
        card = json.load(told)
    expect(page.locator("#card")).to_contain_text(card["model_id"])
    expect(page.locator("#card")).to_contain_text(card["release_id"])
    expect(page.locator(".tiles .value").first).to_contain_text(
        f"{card['metrics']['accuracy'] * 100:.1f}"
    )
    expect(page.locator("#card .bars .name")).to_have_count(len(card["labels"]))


def test_only_what_the_policy_names_may_run(look, site):
    page = look()
    headers = page.request.get(site.url).headers
    told = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert POLICY.items() <= told.items()
    page.expected = ("Content Security Policy", "CSP forbids", "violates the following")
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", "<p id=styled style='color: red'>x</p>");
    }""")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.getElementById('styled').style.color") == ""
    assert any("CSP forbids inline" in text for text in page.errors)


def fetch(url):
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - the host that was deployed
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_files_of_the_release_before_are_still_served_after_a_deploy(site, root, tmp_path):
    page_before = fetch(site.url)[1]
    before = {name: fetch(site.url + name) for name in re.findall(r'"(assets/[^"]+)"', page_before)}
    assert len(before) > 5
    service = tmp_path / "service"
    shutil.copytree(root / "service", service, ignore=shutil.ignore_patterns("__pycache__"))
    with (service / "web/app.css").open("a") as out:
        out.write("body { --changed: 1; }\n")
    site.play("release.yml", release_service_dir=str(service))
    page_after = fetch(site.url)[1]
    after = set(re.findall(r'"(assets/[^"]+)"', page_after))
    changed = before.keys() - after
    assert {name.split(".")[0] for name in changed} == {"assets/app"}
    assert len(changed) == 1
    assert {name: fetch(site.url + name) for name in before} == before
    assert {fetch(site.url + name)[0] for name in after} == {200}
