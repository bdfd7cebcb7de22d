"""Typing a text: labels with probabilities as one goes, and the words that moved them."""

import json
import re

import pytest
from playwright.sync_api import expect

TEXT = "I was charged twice this month, please refund the second payment on my card."
LATE = re.compile("^(?!.*stale)")


def answer(label, probability, **more):
    rest = {"other": round(1 - probability, 6)}
    return {"label": label, "abstained": False, "probability": probability,
            "probabilities": {label: probability, **rest}, **more}  # fmt: skip


def fulfil(route, body, status=200, **headers):
    route.fulfill(status=status, headers={"Content-Type": "application/json", **headers},
                  body=json.dumps(body))  # fmt: skip


def refusal(message):
    return {"error": {"code": "no", "message": message}, "request_id": "1"}


def show(page, *results):
    """Have the page show these results, one after the other, instead of the service's own."""
    left = list(results)
    page.route(
        "**/v1/classify",
        lambda route: fulfil(route, {"results": [left.pop(0) if len(left) > 1 else left[0]]}),
    )
    page.route("**/v1/explain", lambda route: fulfil(route, refusal("too long"), 400))
    page.expected = ("status of 400",)


def test_labels_appear_as_one_types_and_add_up(look):
    page = look()
    page.locator("#text").press_sequentially(TEXT, delay=5)
    expect(page.locator("#verdict")).to_contain_text("billing")
    expect(page.locator("#answer")).to_have_class(LATE)
    shares = page.locator("#bars .share").all_text_contents()
    assert len(shares) == 6
    assert page.locator("#bars .name").first.text_content() == "billing"
    asked = [url for url in page.asked if url.endswith("/v1/classify")]
    assert len(asked) < len(TEXT) / 3  # not with every key


def test_words_are_coloured_by_what_the_service_says_of_them(look):
    page = look()
    with page.expect_response("**/v1/explain") as told:
        page.fill("#text", f"🙂 {TEXT}")
    found = told.value.json()
    expect(page.locator("#why-title")).to_have_text("What speaks for billing")
    assert page.locator("#words").text_content() == f"🙂 {TEXT}"
    scale = max(abs(word["weight"]) for word in found["words"])
    strong = [word for word in found["words"] if abs(word["weight"]) > 0.2 * scale]
    coloured = page.locator("#words .word")
    shown = dict(zip(coloured.all_text_contents(),
                     coloured.evaluate_all("all => all.map(each => each.classList[1])"),
                     strict=True))  # fmt: skip
    assert strong
    assert {
        word["word"]: "for" if word["weight"] > 0 else "against" for word in strong
    }.items() <= (shown.items())


def test_another_label_can_be_chosen_with_the_keyboard_alone(look):
    page = look()
    page.fill("#text", TEXT)
    expect(page.locator("#why")).to_be_visible()
    second = page.locator("#bars button").nth(1)
    label = second.locator(".name").text_content()
    second.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why-title")).to_have_text(f"What speaks for {label}")
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(second).to_be_focused()


def test_a_late_answer_never_overwrites_a_newer_one(look):
    page = look()
    held = []

    def first_one_late(route):
        if "first" in route.request.post_data:
            held.append(route)
        else:
            fulfil(route, {"results": [answer("newer", 0.9)]})

    page.route("**/v1/classify", first_one_late)
    page.route("**/v1/explain", lambda route: route.abort())
    page.expected = ("net::ERR_FAILED",)
    page.fill("#text", "first")
    page.wait_for_timeout(500)
    assert held
    page.fill("#text", "second")
    expect(page.locator("#verdict")).to_contain_text("newer")
    fulfil(held[0], {"results": [answer("older", 0.9)]})
    page.wait_for_timeout(300)
    expect(page.locator("#verdict")).to_contain_text("newer")


def test_an_abstention_is_no_label(look):
    page = look()
    show(page, answer("billing", 0.41) | {"label": None, "abstained": True})
    page.fill("#text", "hm")
    expect(page.locator("#verdict")).to_have_text("Not sure")
    expect(page.locator("#verdict-note")).to_contain_text("Closest: other")


@pytest.mark.parametrize("width", [1280, 320])
def test_150_long_labels_stay_readable(look, width):
    page = look(viewport={"width": width, "height": 800})
    names = ["a_label_without_any_place_to_break_it_" * 2] + [f"label {n}" for n in range(149)]
    shares = {name: 1 / 2 ** (place + 1) for place, name in enumerate(names)}
    show(page, {"label": names[0], "abstained": False, "probability": 0.5, "probabilities": shares})
    page.fill("#text", "x")
    expect(page.locator("#bars li")).to_have_count(8)
    page.get_by_role("button", name="Show all 150 labels").click()
    expect(page.locator("#bars li")).to_have_count(150)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_full_service_is_asked_again_when_it_says_so(look):
    page = look()
    seen = []

    def full_at_first(route):
        seen.append(route)
        if len(seen) == 1:
            fulfil(route, refusal("the queue is full"), 429, **{"Retry-After": "2"})
        else:
            fulfil(route, {"results": [answer("billing", 0.9)]})

    page.route("**/v1/classify", full_at_first)
    page.route("**/v1/explain", lambda route: fulfil(route, refusal("no"), 400))
    page.expected = ("status of 429", "status of 400")
    page.fill("#text", "x")
    expect(page.locator("#text-problem-words")).to_have_text("The queue is full.")
    expect(page.locator("#text-retry-in")).to_contain_text("seconds")
    assert page.get_by_role("button", name="Try now").is_visible()
    page.wait_for_timeout(1000)
    assert len(seen) == 1
    expect(page.locator("#verdict")).to_contain_text("billing")
    expect(page.locator("#text-problem")).to_be_hidden()


def test_a_stopped_service_is_told_and_the_text_stays_until_it_answers(look, site):
    page = look()
    page.fill("#text", TEXT)
    expect(page.locator("#verdict")).to_contain_text("billing")
    page.expected = ("status of 502",)
    site.shell("systemctl stop 'classifier@*.socket' 'classifier@*.service'")
    try:
        page.locator("#text").press_sequentially(" Thanks")
        expect(page.locator("#text-problem-words")).to_contain_text("The classifier is not running")
        expect(page.locator("#verdict")).to_be_empty()
    finally:
        site.shell("systemctl start classifier@blue.socket classifier@green.socket")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#verdict")).to_contain_text("billing")
    assert page.input_value("#text") == f"{TEXT} Thanks"


def test_a_text_over_the_limit_is_told_and_not_sent(look):
    page = look()
    expect(page.locator("#length")).to_contain_text("10,000")
    page.fill("#text", "🙂" * 10_001)
    expect(page.locator("#length")).to_have_text("1 character too many: 10,001 of 10,000")
    page.wait_for_timeout(500)
    assert [url for url in page.asked if url.endswith("/v1/classify")] == []


def test_text_from_right_to_left_is_shown_so(look):
    page = look()
    page.fill("#text", "החיוב בכרטיס שלי כפול, אנא החזירו את הכסף")
    expect(page.locator("#why")).to_be_visible()
    directions = page.evaluate(
        "['text', 'words'].map((id) => getComputedStyle(document.getElementById(id)).direction)"
    )
    assert directions == ["rtl", "rtl"]


def test_a_text_is_never_taken_for_markup(look):
    page = look()
    text = "<img src=x onerror=alert(1)> <script>alert(2)</script> refund my card"
    page.fill("#text", text)
    expect(page.locator("#why")).to_be_visible()
    assert page.locator("#words").text_content() == text
    assert page.locator("main img, main script").count() == 0
