"""The site behind TLS: with a certificate of its own, of an ACME server, and given."""

import json
import re
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import corpus
import peer_environments
import pytest
from acme import AcmeServer
from authority import Authority
from hosts import Host, changes, remove_leftover, write_inventory

pytestmark = pytest.mark.timeout(1200)
NAMES = ["www.example.org", "example.org"]
TRUSTED = "/usr/local/share/acme.pem"
LIVE = "/var/lib/frontdesk-tls/live"
TOOLS = Path(__file__).with_name("tools")


@pytest.fixture(scope="module")
def site(host):
    """The host; plain again afterwards."""
    yield host
    host.play("deploy.yml")
    assert host.shell("find /etc/systemd -name 'frontdesk-tls*'") == ""


@pytest.fixture(scope="module")
def acme(site, tmp_path_factory):
    """An ACME server whose names lead to the site, and which the site trusts."""
    name = "frontdesk-acme"
    remove_leftover(name)
    folder = tmp_path_factory.mktemp("acme")
    made = Host(name, write_inventory(folder / "inventory.yml", name))
    made.play("provision.yml")
    server = AcmeServer(made, folder, site.address)
    site.send(server.trusted.encode(), TRUSTED)
    yield server
    made.play("remove.yml")


def settings(acme, **changes):
    return {"tls_mode": "acme", "tls_server_names": NAMES, "tls_acme_email": "ops@example.org",
            "tls_acme_server": acme.url, "tls_acme_ca_path": TRUSTED} | changes  # fmt: skip


class Answer:
    """What the site says to a client that asks for a name and trusts a root (PEM)."""

    def __init__(self, site, name, root, host=None, protocols=("http/1.1",)):
        trust = ssl.create_default_context(cadata=root)
        trust.set_alpn_protocols(protocols)
        with (
            socket.create_connection((site.address, 443), timeout=10) as plain,
            trust.wrap_socket(plain, server_hostname=name) as client,
        ):
            self.protocol = client.selected_alpn_protocol()
            self.certificate = client.getpeercert(binary_form=True)
            if self.protocol == "http/1.1":
                client.sendall(f"GET /readyz HTTP/1.0\r\nHost: {host or name}\r\n\r\n".encode())
                told = b"".join(iter(lambda: client.recv(65_536), b"")).decode()
                self.head, _, self.body = told.partition("\r\n\r\n")


def end_life(site):
    """Let the certificate that is served be near its end, as the program knows it."""
    site.shell(
        f"python3 - <<'E'\nimport json,time\np='{LIVE}/about.json'\na=json.load(open(p))\n"
        "n=int(time.time())\na.update(not_before=n-86400*80,not_after=n+86400*20)\n"
        "json.dump(a,open(p,'w'))\nE"
    )


def test_a_certificate_is_had_from_an_acme_server_and_renewed_in_time(site, acme):
    site.play("deploy.yml", **settings(acme))
    for name in NAMES:
        answer = Answer(site, name, acme.root)
        assert json.loads(answer.body)["status"] == "ready"
        assert "Strict-Transport-Security: max-age=63072000" in answer.head
    assert Answer(site, NAMES[0], acme.root, protocols=("h2", "http/1.1")).protocol == "h2"
    again = site.play("deploy.yml", **settings(acme)).stdout
    assert changes(again) == 0
    assert site.weak_points() == ""

    metrics = site.shell("curl --silent --fail http://127.0.0.1:9180/metrics")
    assert "frontdesk_certificate_expiry_timestamp_seconds 1." in metrics

    end_life(site)
    site.shell("systemctl start frontdesk-tls.service")
    deadline = time.monotonic() + 10  # Nginx reads it after the unit has asked it to
    while Answer(site, NAMES[0], acme.root).certificate == answer.certificate:
        assert time.monotonic() < deadline, site.shell("journalctl --unit frontdesk-tls --lines 20")
        time.sleep(0.1)
    assert site.shell("find /var/lib/frontdesk-tls -mindepth 1 -maxdepth 1 -name '.*'") == ""
    assert site.shell(f"stat -L -c %a:%U {LIVE}/key.pem").strip() == "600:root"


@pytest.mark.parametrize("reason", ["nobody vouches for it", "no challenge", "the server is down"])
def test_what_is_served_is_served_on_when_the_server_gives_nothing(site, acme, reason):
    before = Answer(site, NAMES[0], acme.root)
    changes = {}
    if reason == "the server is down":
        acme.stop()
        end_life(site)
    elif reason == "nobody vouches for it":
        changes = {"tls_acme_ca_path": "/etc/ssl/certs/ca-certificates.crt"}
        end_life(site)
    else:
        acme.point("elsewhere.example.org", "192.0.2.1")
        changes = {"tls_server_names": [*NAMES, "elsewhere.example.org"]}
    done = site.play("configure.yml", "--tags", "tls", check=False, **settings(acme, **changes))
    assert done.returncode != 0
    assert f"{acme.url} gave no certificate for {NAMES[0]}" in " ".join(done.stdout.split())
    after = Answer(site, NAMES[0], acme.root)
    assert (after.certificate, after.body.partition("model_id")[0]) == (
        before.certificate, before.body.partition("model_id")[0],
    )  # fmt: skip


def test_only_the_sites_names_are_answered(site, acme):
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME|unrecognized name"):
        Answer(site, "www.example.net", acme.root)
    misdirected = Answer(site, NAMES[0], acme.root, host="www.example.net")
    assert misdirected.head.startswith("HTTP/1.1 421 ")
    for name, leads in ((NAMES[0], True), ("www.example.net", False), (site.address, False)):
        words = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{redirect_url}",
                 "--header", f"Host: {name}", f"http://{site.address}/v1/model?a=b"]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.stdout == (f"https://{name}/v1/model?a=b" if leads else "")
        assert (done.returncode in (52, 56)) is not leads  # closed without an answer, or reset


def places_with(site, secret):
    """Where on a host a secret lies, in files, in memory that others see, in the journal."""
    file = "/run/canary"
    site.send(secret.encode(), file)
    found = site.shell(
        f"grep --files-with-matches --recursive --fixed-strings --file {file} --devices=skip "
        f"--exclude-dir=proc --exclude-dir=sys --exclude={file.rsplit('/', 1)[1]} "
        "/etc /home /opt /root /run /srv /tmp /usr/local /var || true"
    ).splitlines()
    for what, command in {
        "journal": "journalctl --no-pager",
        "process list": "ps axww -o args",
        "environments": "cat /proc/[0-9]*/environ 2>/dev/null",
        "units": "systemctl show '*'",
    }.items():
        line = f"{{ {command} || true; }} | grep --quiet --text --fixed-strings --file {file}"
        if site.shell(f"{line} && echo found || true"):
            found.append(what)
    site.shell(f"rm {file}")
    return found


def test_a_given_certificate_is_served_and_its_key_is_seen_nowhere(
    site, tmp_path, root, run, monkeypatch
):
    authority = Authority("Ours")
    certificate, key = authority.issue(tmp_path, NAMES)
    secret = key.read_text().splitlines()[1]
    client = f"desk@{root / 'scripts/vault-client.py'}"
    monkeypatch.setenv("FRONTDESK_VAULT_COMMAND", "printf of-{}")
    run("ansible-vault", "encrypt", "--vault-id", client, "--encrypt-vault-id", "desk", key)
    trusted = tmp_path / "root.pem"
    trusted.write_text(authority.pem)
    given = {"tls_mode": "provided", "tls_server_names": NAMES, "tls_root_path": str(trusted),
             "tls_certificate_path": str(certificate), "tls_key_path": str(key)}  # fmt: skip
    done = site.play("deploy.yml", "-vvv", "--diff", "--vault-id", client, **given)
    assert secret not in done.stdout + done.stderr
    assert "ready" in Answer(site, NAMES[0], authority.pem).body
    own = [path for path in places_with(site, secret) if path.startswith(LIVE.rsplit("/", 1)[0])]
    assert own  # the search finds it where it belongs
    assert set(places_with(site, secret)) == set(own)

    without = site.play("certificates.yml", check=False, **given)
    assert without.returncode != 0
    assert "is encrypted, and there is no password to read it" in " ".join(without.stdout.split())


def findings(site, *asked):
    """Where the site departs from Mozilla's intermediate level, in sslyze's words."""
    program = peer_environments.ensure("sslyze", TOOLS, "sslyze") / "sslyze"
    words = [program, "--mozilla_config=intermediate", *asked, f"{site.address}:443"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    verdict = done.stdout.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    assert f"{site.address}:443: " in verdict, done.stdout
    return re.findall(r"^ +\* (\w+):", verdict, re.MULTILINE)


def test_a_self_signed_certificate_is_for_the_host_itself(site):
    site.play("configure.yml", "--tags", "tls,nginx", tls_mode="self_signed")
    own = site.shell(f"cat {LIVE}/certificate.pem")
    assert "ready" in Answer(site, "127.0.0.1", own).body
    ready = urllib.request.urlopen(
        f"http://{site.address}/readyz", timeout=10,
        context=ssl._create_unverified_context(),  # noqa: S323 - where it leads is what is asked
    )  # fmt: skip
    assert ready.url == f"https://{site.address}/readyz"
    found = corpus.sent_from(site, "tls")
    assert [name for name, said in found.items() if 200 in said[1:] or len(said) > 2] == []
    assert not {status for said in found.values() for status in said} & corpus.BROKEN
    assert site.weak_points() == ""
    for asked in ([], ["--sni", NAMES[0]], ["--sni", "wrong.example.net"]):
        assert findings(site, *asked) == ["certificate_path_validation"]  # signed by itself


def test_the_unit_that_renews_is_shut_in(site):
    report = site.shell("systemd-analyze security --no-pager frontdesk-tls.service")
    assert float(report.split("Overall exposure level for")[1].split()[1]) <= 3.0
