import json

import pytest
from classifier.config import Settings
from classifier.serving.app import create_app


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.jsonl"


@pytest.fixture
def client(bundle_dir, path):
    return create_app(Settings(bundle_dir, release_id="r1", feedback_path=path)).test_client()


def test_feedback_is_on_the_disk_when_it_is_answered(client, path):
    response = client.post("/v1/feedback", json={"request_id": "i-7", "label": "food"})
    assert response.status_code == 200
    body = response.get_json()
    assert body["kept"] is True
    (line,) = map(json.loads, path.read_text().splitlines())
    assert line.pop("time").endswith("+00:00")
    assert line == {"request_id": "i-7", "label": "food", "release_id": "r1",
                    "model_id": body["model_id"]}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request_id_missing"),
        ({"label": "food"}, "request_id_missing"),
        ({"request_id": "a"}, "label_missing"),
        ({"request_id": 1, "label": "food"}, "wrong_type"),
        ({"request_id": "a\nb", "label": "food"}, "request_id_malformed"),
        ({"request_id": "", "label": "food"}, "request_id_malformed"),
        ({"request_id": "a", "label": "fish"}, "unknown_label"),
        ({"request_id": "a", "label": None}, "wrong_type"),
        ({"request_id": "a", "label": "food", "text": "b"}, "unknown_key"),
        (["a"], "wrong_type"),
    ],
    ids=str,
)
def test_bad_feedback_is_refused_and_not_kept(client, path, body, code):
    response = client.post("/v1/feedback", json=body)
    assert response.status_code == 400
    assert response.get_json()["error"]["code"] == code
    assert not path.exists()


def test_feedback_that_cannot_be_kept_is_not_said_to_be(bundle_dir, tmp_path):
    settings = Settings(bundle_dir, feedback_path=tmp_path / "nowhere/feedback.jsonl")
    asked = {"request_id": "a", "label": "food"}
    response = create_app(settings).test_client().post("/v1/feedback", json=asked)
    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "feedback_not_kept"


def test_a_service_without_a_place_for_feedback_says_so(bundle_dir):
    asked = {"request_id": "a", "label": "food"}
    response = create_app(Settings(bundle_dir)).test_client().post("/v1/feedback", json=asked)
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "feedback_off"
