import hashlib
import json

import pytest
from classifier.config import ConfigError, Settings
from classifier.serving import keys
from classifier.serving.app import create_app
from classifier.serving.keys import ApiKeys, main, make_key


def line(name, key):
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "api_keys"
    path.write_text("# by hand\n\n" + line("shop", "k1") + line("mail", "k2"))
    return path


@pytest.fixture
def ask(bundle_dir, path, tmp_path):
    """Ask as Nginx does, and return the status."""
    log = tmp_path / "log"
    app = create_app(Settings(bundle_dir, api_keys_path=path, request_log_path=log))

    def ask_through_nginx(authorization=None, where="/v1/model"):
        headers = {"X-Forwarded-For": "192.0.2.1"}
        if authorization is not None:
            headers["Authorization"] = authorization
        return app.test_client().get(where, headers=headers)

    ask_through_nginx.log = log
    ask_through_nginx.app = app
    return ask_through_nginx


@pytest.mark.parametrize("given", ["Bearer k1", "bearer k2", "BEARER k1"])
def test_a_known_key_is_let_in(ask, given):
    assert ask(given).status_code == 200


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer ", "Bearer k3", "Bearer  k1", "Basic k1", "k1", "Bearer k1 ",
     "Bearer " + hashlib.sha256(b"k1").hexdigest(), "Bearer \xe4", "Bearer shop"],
    ids=ascii,
)  # fmt: skip
def test_without_a_known_key_the_answer_is_401(ask, given):
    response = ask(given)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.get_json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("where", ["/v1/nothing", "/v1/classify"])
def test_without_a_key_nothing_is_told_of_what_is_where(ask, where):
    assert ask(None, where).status_code == 401


@pytest.mark.parametrize("where", ["/healthz"])
def test_health_needs_no_key(ask, where):
    assert ask(None, where).status_code == 200


def test_the_hosts_own_questions_need_no_key(ask):
    assert ask.app.test_client().get("/v1/model").status_code == 200


def test_the_log_names_the_key_and_never_shows_it(ask):
    ask("Bearer k1")
    ask("Bearer k3-unknown")
    known, unknown = map(json.loads, ask.log.read_text().splitlines())
    assert known["key"] == "shop"
    assert "key" not in unknown
    assert "k1" not in ask.log.read_text()
    assert "k3-unknown" not in ask.log.read_text()


def test_keys_rotate_without_a_restart(ask, path, monkeypatch):
    monkeypatch.setattr(keys, "_SECONDS_BETWEEN_LOOKS", 0)
    fresh = path.with_name("fresh")
    fresh.write_text(line("shop", "k9"))
    fresh.replace(path)
    assert ask("Bearer k9").status_code == 200
    assert ask("Bearer k1").status_code == 401


@pytest.mark.parametrize("content", ["", "# none\n", "shop k1\n", "shop " + "A" * 64 + "\n"])
def test_a_file_that_was_spoiled_leaves_the_keys_as_they_were(
    ask, path, content, monkeypatch, capfd
):
    monkeypatch.setattr(keys, "_SECONDS_BETWEEN_LOOKS", 0)
    path.write_text(content)
    assert ask("Bearer k1").status_code == 200
    assert ask(None).status_code == 401
    assert "the API keys were not read again" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), ("", "holds no key"), ("shop k1", "line 1 is no name"),
     ("a b " + "0" * 64, "line 1 is no name")],
)  # fmt: skip
def test_a_file_without_usable_keys_prevents_the_start(tmp_path, content, said):
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=said):
        ApiKeys(path)


def test_a_made_key_is_let_in(ask, path, monkeypatch):
    monkeypatch.setattr(keys, "_SECONDS_BETWEEN_LOOKS", 0)
    key, entry = make_key("new")
    path.write_text(entry + "\n")
    assert len(key) >= 43
    assert ask(f"Bearer {key}").status_code == 200


def test_made_keys_differ():
    assert len({make_key("a")[0] for _ in range(100)}) == 100


def test_the_command_prints_a_key_and_its_entry(capsys):
    assert main(["shop"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    digest = hashlib.sha256(first.rsplit(" ", 1)[1].encode()).hexdigest()
    assert second == f"for classifier_api_keys: {{name: shop, sha256: {digest}}}"


def test_the_command_refuses_a_name_that_is_none(capsys):
    assert main(["a b"]) == 1
    assert (
        capsys.readouterr().err
        == "error: 'a b' is no name for a key; use 1 to 64 of A-Z a-z 0-9 . _ -\n"
    )
