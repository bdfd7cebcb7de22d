"""Certificates and names that can't serve are refused by name, before anything changes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from authority import Authority

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
CHECK = ANSIBLE / "roles/tls/files/check_pair.py"
NAMES = ["www.example.org", "example.org"]


@pytest.fixture(scope="module")
def root():
    return Authority("Test root")


@pytest.fixture(scope="module")
def middle(root):
    return Authority("Test issuer", root)


@pytest.fixture
def vouched(root, tmp_path):
    path = tmp_path / "root.pem"
    path.write_text(root.pem)
    return f"--root={path}"


def check(certificate, key, *options, names=NAMES):
    words = [sys.executable, CHECK, "--days=14", *options, certificate, key, ",".join(names)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (done.stderr == "")
    assert len(done.stderr.splitlines()) <= 1
    return done.stderr


def test_a_pair_with_its_chain_is_taken(middle, vouched, tmp_path):
    pair = middle.issue(tmp_path, [*NAMES, "*.example.net", "192.0.2.1", "::1"], chain=[middle])
    assert check(*pair, vouched) == ""
    assert check(*pair, vouched, names=["a.example.net", "192.0.2.1", "::1"]) == ""


def test_the_root_may_be_sent_with_it(root, middle, vouched, tmp_path):
    assert check(*middle.issue(tmp_path, NAMES, chain=[middle, root]), vouched) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"days": -1}, "ended on "),
        ({"days": 13}, "within 14 days"),
        ({"begins": 2}, "holds only from "),
        ({"names": NAMES[:1]}, "does not cover example.org, only www.example.org"),
        ({"names": ["*.org", "www.example.org"]}, None),
        ({"names": ["*.example.org"]}, "does not cover example.org"),
        ({"chain": 0}, "is no root that is known here: append the certificates between them"),
    ],
)
def test_a_certificate_that_browsers_refuse_is_refused(middle, vouched, tmp_path, changed, said):
    given = {"names": NAMES, "chain": [middle]} | changed
    pair = middle.issue(tmp_path, given.pop("names"), chain=given.pop("chain") or (), **given)
    answer = check(*pair, vouched)
    assert answer == "" if said is None else said in answer


def test_without_the_private_root_nobody_vouches_for_it(middle, tmp_path):
    assert "tls_root_path" in check(*middle.issue(tmp_path, NAMES, chain=[middle]))


def test_a_chain_out_of_order_is_refused(root, middle, vouched, tmp_path):
    pair = middle.issue(tmp_path, NAMES, chain=[root, middle])
    assert "out of order: CN=Test root follows CN=www.example.org" in check(*pair, vouched)


def test_a_key_of_another_certificate_is_refused(middle, vouched, tmp_path):
    certificate, _ = middle.issue(tmp_path / "one", NAMES, chain=[middle])
    _, key = middle.issue(tmp_path / "two", NAMES, chain=[middle])
    assert "is not that of the first certificate" in check(certificate, key, vouched)


def test_a_key_that_others_can_read_is_refused(middle, vouched, tmp_path):
    certificate, key = middle.issue(tmp_path, NAMES, chain=[middle])
    key.chmod(0o640)
    assert f"can be read by others: chmod 600 {key}" in check(certificate, key, vouched)


@pytest.mark.parametrize("content", ["", "no PEM"])
def test_files_that_hold_something_else_are_refused(middle, vouched, tmp_path, content):
    certificate, key = middle.issue(tmp_path, NAMES, chain=[middle])
    other = tmp_path / "other"
    other.touch(mode=0o600)
    other.write_text(content)
    assert f"{other} holds no certificate in PEM" in check(other, key, vouched)
    assert f"{other} holds no key in PEM" in check(certificate, other, vouched)
    missing = tmp_path / "missing"
    assert f"{missing} can't be read: No such file" in check(certificate, missing, vouched)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tls_mode": "acme", "tls_server_names": ["two words.org"]}, "has 'two words.org'"),
        ({"tls_mode": "acme", "tls_server_names": ["*.example.org"]}, "without wildcard"),
        ({"tls_mode": "acme", "tls_server_names": ["bücher.example"]}, "as IDNA writes it"),
        ({"tls_mode": "acme", "tls_server_names": ["192.0.2.1"]}, "has '192.0.2.1'"),
        ({"tls_mode": "self_signed", "tls_server_names": ["-.org"]}, "has '-.org'"),
        ({"tls_mode": "acme", "tls_acme_email": "a@example.org"}, "tls_server_names is empty"),
        ({"tls_mode": "acme", "tls_server_names": NAMES}, "tls_acme_email is empty"),
        ({"tls_mode": "provided", "tls_server_names": NAMES}, "tls_certificate_path is empty"),
        ({"tls_mode": "sometimes"}, "tls_mode must be one of"),
        ({"tls_mode": "provided", "tls_server_names": NAMES, "tls_key_path": "/none",
          "tls_certificate_path": "/none/a.pem"}, "/none/a.pem can't be read"),
    ],
)  # fmt: skip
def test_settings_are_refused_before_any_host_is_asked(run, root, settings, said):
    words = ["ansible-playbook", "certificates.yml", "--extra-vars", json.dumps(settings)]
    done = run(*words, folder=ANSIBLE, check=False, timeout=60)
    assert done.returncode != 0
    assert said in " ".join((done.stdout + done.stderr).split())
    assert "unreachable=0" in done.stdout


def test_a_bare_off_is_off(run):
    run("ansible-playbook", "certificates.yml", "--extra-vars", "{tls_mode: off}", folder=ANSIBLE)
