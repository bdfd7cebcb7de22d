"""A file of texts to a file of answers."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import expect

BILLING = "Please refund the double charge on my card"
DELIVERY = "Where is my parcel? The courier never came"


def choose(page, name, data):
    content = data if isinstance(data, bytes) else data.encode()
    page.set_input_files("#chosen", {"name": name, "mimeType": "text/plain", "buffer": content})


def start(page, texts):
    page.get_by_role("button", name=f"Classify {texts}").click()


def download(page):
    with page.expect_download() as told:
        page.get_by_role("link", name="Download answers").click()
    text = told.value.path().read_bytes().decode()
    return told.value.suggested_filename, text


def rows(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def test_a_table_comes_back_with_its_columns_and_the_answers(look):
    page = look("file")
    choose(
        page, "november.csv", f'id,Text,label\r\n1,"{BILLING},\n""now""",x\r\n=1+1,{DELIVERY},\r\n'
    )
    expect(page.locator("#column")).to_have_value("1")
    start(page, "2 texts")
    name, text = download(page)
    assert name == "november.answers.csv"
    first, second = rows(text)
    assert (first["id"], first["Text"], first["label"]) == ("1", f'{BILLING},\n"now"', "x")
    assert (first["answer_label"], second["answer_label"]) == ("billing", "delivery")
    assert 0.4 < float(first["probability"]) <= 1
    assert (first["abstained"], first["error"]) == ("false", "")
    assert second["id"] == "'=1+1"


def test_lines_of_text_are_answered_each(look):
    page = look("file")
    choose(page, "texts.txt", f"{BILLING}\n\n{DELIVERY}\n")
    start(page, "2 texts")
    found = rows(download(page)[1])
    assert [(row["text"], row["label"]) for row in found] == [
        (BILLING, "billing"), (DELIVERY, "delivery")
    ]  # fmt: skip


def test_thousands_of_texts_keep_their_order_and_bad_ones_cost_the_others_nothing(look):
    page = look("file")
    page.expected = ("status of 400",)  # a text that the service alone can refuse
    lines = [f"{number},{(BILLING, DELIVERY)[number % 2]} {number}" for number in range(1500)]
    lines[7], lines[70], lines[700] = "7,", f"70,{'a' * 10_001}", "700,\x1d"
    choose(page, "many.csv", "id,text\n" + "\n".join(lines) + "\n")
    expect(page.locator("#file-facts")).to_contain_text("1 over 10,000 characters")
    start(page, "1,500 texts")
    expect(page.locator("#run-title")).to_contain_text("Done", timeout=60_000)
    found = rows(download(page)[1])
    assert [row["id"] for row in found] == [str(number) for number in range(1500)]
    wrong = {int(row["id"]): row["error"] for row in found if row["error"]}
    assert wrong.keys() == {7, 70, 700}
    assert wrong[7] == "There is no text."
    assert "10,000 are the most" in wrong[70]
    sound = [row for row in found if not row["error"]]
    assert [row["label"] for row in sound] == [
        ("billing", "delivery")[int(row["id"]) % 2] for row in sound
    ]
    requests = [url for url in page.asked if url.endswith("/v1/classify")]
    assert len(requests) < 1500 / 64 + 30


def test_a_run_can_be_stopped_and_gone_on_with(look):
    page = look("file")
    sent = []

    def slowly(route):
        sent.append(len(json.loads(route.request.post_data)["texts"]))
        page.wait_for_timeout(150)
        route.continue_()

    page.route("**/v1/classify", slowly)
    choose(page, "many.txt", "\n".join(f"{BILLING} {number}" for number in range(640)))
    start(page, "640 texts")
    expect(page.locator("#run-facts")).to_have_text(re.compile(r"^[1-5]\d\d of 640"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#run-title")).to_contain_text("Stopped")
    part = rows(download(page)[1])
    assert 64 < len(part) < 640
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#run-title")).to_contain_text("Done", timeout=30_000)
    whole = rows(download(page)[1])
    assert [row["text"] for row in whole] == [f"{BILLING} {number}" for number in range(640)]
    assert whole[: len(part)] == part


def test_a_full_service_is_waited_for(look):
    page = look("file")
    page.expected = ("status of 429",)
    seen = []

    def full_at_first(route):
        seen.append(route)
        if len(seen) == 1:
            route.fulfill(
                status=429,
                headers={"Retry-After": "1", "Content-Type": "application/json"},
                body=json.dumps({"error": {"code": "full", "message": "the queue is full"}}),
            )
        else:
            route.continue_()

    page.route("**/v1/classify", full_at_first)
    choose(page, "texts.txt", f"{BILLING}\n")
    start(page, "1 text")
    expect(page.locator("#run-problem")).to_have_text("The queue is full. Next try in 1 second.")
    expect(page.locator("#run-title")).to_contain_text("Done")
    expect(page.locator("#run-problem")).to_be_hidden()
    assert rows(download(page)[1])[0]["label"] == "billing"


def test_a_file_can_be_dropped_in_every_view(look):
    page = look("text")
    page.evaluate(
        """(text) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "dropped.txt"));
          const how = { dataTransfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", how));
        }""",
        BILLING,
    )
    expect(page.locator("#file-name")).to_have_text("dropped.txt")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00", "photo.png is not a text file"),
        ("empty.csv", b"", "empty.csv holds no text"),
        ("header.csv", b"id,text\n", "header.csv holds no text"),
        ("open.csv", b'text\n"never closed\nx\n', "quotation mark in line 2 is never closed"),
    ],
)
def test_a_file_without_texts_is_refused_by_name(look, name, data, told):
    page = look("file")
    choose(page, name, data)
    expect(page.locator("#file-problem")).to_contain_text(told)
    expect(page.locator("#start")).not_to_be_enabled()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Größe falsch".encode("windows-1252"), "Größe falsch"),
        ("\ufeffGröße falsch".encode(), "Größe falsch"),
        ("\ufeffGröße falsch".encode("utf-16-le"), "Größe falsch"),
    ],
)
def test_files_of_other_encodings_are_read(look, data, text):
    page = look("file")
    choose(page, "texts.txt", data)
    expect(page.locator("#preview")).to_have_text(text)


def test_a_table_of_semicolons_stays_one(look):
    page = look("file")
    choose(page, "europe.csv", f"id;message\n1;{BILLING}\n")
    start(page, "1 text")
    assert rows(download(page)[1], ";")[0]["label"] == "billing"
