import json

import msgspec
import pytest
from classifier import bundle as bundles
from classifier.config import Settings
from classifier.serving.app import create_app
from classifier.serving.models import ANSWER_MODELS, request_models
from classifier.serving.openapi import UNDESCRIBED
from jsonschema import Draft202012Validator


@pytest.fixture(scope="module")
def bundle(bundle_dir):
    return bundles.load(bundle_dir)


@pytest.fixture(scope="module")
def app(bundle_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("feedback") / "feedback.jsonl"
    return create_app(Settings(bundle_dir, release_id="r1", feedback_path=path))


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/openapi.json").get_json()


def test_every_route_is_described_and_nothing_else(app, document):
    described = set(document["paths"])
    hidden = {f"routes.{name}" for name in UNDESCRIBED}
    routes = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint not in hidden}
    assert described == routes


def test_limits_and_labels_are_those_of_the_bundle(document, bundle):
    schemas = document["components"]["schemas"]
    assert schemas["ClassifyOne"]["properties"]["text"]["maxLength"] == bundle.limits.text_chars
    assert schemas["ClassifyMany"]["properties"]["texts"]["maxItems"] == bundle.limits.batch_texts
    assert schemas["Feedback"]["properties"]["label"]["enum"] == sorted(bundle.labels)


@pytest.mark.parametrize(
    ("path", "body", "endpoint"),
    [
        ("/v1/classify", {"text": "the dog"}, "classify"),
        ("/v1/classify", {"texts": ["a"], "threshold": 1}, "classify"),
        ("/v1/explain", {"text": "the dog"}, "explain"),
        ("/v1/feedback", {"request_id": "a", "label": "food"}, "take_feedback"),
        ("/v1/model", None, "show_model"),
        ("/healthz", None, "show_health"),
        ("/readyz", None, "show_readiness"),
    ],
)
def test_answers_have_the_shape_that_is_described(app, document, path, body, endpoint):
    client = app.test_client()
    client.post("/v1/classify", json={"text": "warm up"})
    response = client.open(path, method="POST" if body else "GET", json=body)
    assert response.status_code == 200
    name = ANSWER_MODELS[endpoint].__name__
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator(schema).validate(response.get_json())


GOOD = [
    ("classify", {"text": "a"}),
    ("classify", {"texts": ["a", "b"], "top": 1, "threshold": 0.5}),
    ("explain", {"text": "a", "label": "food"}),
    ("take_feedback", {"request_id": "a.b-c_1", "label": "food"}),
]
BAD = [
    ("classify", {}),
    ("classify", {"text": "a", "texts": ["b"]}),
    ("classify", {"text": ""}),
    ("classify", {"text": " \t\x1c\x85\u3000"}),
    ("classify", {"text": "x" * 10_001}),
    ("classify", {"texts": []}),
    ("classify", {"texts": ["a"] * 65}),
    ("classify", {"text": "a", "top": 0}),
    ("classify", {"text": "a", "top": 1.5}),
    ("classify", {"text": "a", "threshold": 1.01}),
    ("classify", {"text": "a", "more": 1}),
    ("explain", {"text": "a", "label": "fish"}),
    ("explain", {"label": "food"}),
    ("take_feedback", {"request_id": "a b", "label": "food"}),
    ("take_feedback", {"request_id": "x" * 65, "label": "food"}),
    ("take_feedback", {"request_id": "a"}),
]
PATHS = {"classify": "/v1/classify", "explain": "/v1/explain", "take_feedback": "/v1/feedback"}


@pytest.mark.parametrize(
    ("endpoint", "body", "taken"),
    [*((*each, True) for each in GOOD), *((*each, False) for each in BAD)],
    ids=lambda value: str(value)[:40],
)
def test_types_and_checks_take_and_refuse_the_same(app, bundle, endpoint, body, taken):
    def fits(model):
        try:
            msgspec.json.decode(json.dumps(body), type=model)
        except msgspec.ValidationError:
            return False
        return True

    assert (sum(map(fits, request_models(bundle)[endpoint])) == 1) is taken
    status = app.test_client().post(PATHS[endpoint], json=body).status_code
    assert (status == 200) is taken


@pytest.mark.parametrize("keys", [False, True])
def test_keys_are_described_where_they_are_asked_for(bundle_dir, tmp_path, keys):
    path = tmp_path / "keys"
    path.write_text("shop " + "0" * 64)
    settings = Settings(bundle_dir, api_keys_path=path if keys else None)
    found = create_app(settings).test_client().get("/openapi.json").get_json()
    assert ("security" in found["paths"]["/v1/classify"]["post"]) is keys
    assert "security" not in found["paths"]["/healthz"]["get"]
