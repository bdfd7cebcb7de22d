"""An ACME server in a container: Debian's pebble, refusing half of the nonces that it gave out."""

import json
import ssl
import time
import urllib.request

from authority import Authority

FOLDER = "/etc/pebble"
PORT, MANAGEMENT_PORT, DNS_PORT, NAMES_PORT = 14000, 15000, 8053, 8055


class AcmeServer:
    """server.url, server.trusted (PEM: vouches for that URL), server.root (for what it issues).

    It makes that root when it starts, so it starts once.

    Each name leads to `target`, until point() leads it elsewhere.
    """

    def __init__(self, host, folder, target):
        """Install and start it on a host that is there; `folder` takes its certificate."""
        self._host = host
        own = Authority("The ACME server's own issuer")
        self.trusted, self._target = own.pem, target
        certificate, key = own.issue(folder, [host.address])
        host.shell("apt-get update -qq && apt-get install -qq --yes pebble >/dev/null 2>&1")
        config = {
            "listenAddress": f"0.0.0.0:{PORT}",
            "managementListenAddress": f"0.0.0.0:{MANAGEMENT_PORT}",
            "certificate": f"{FOLDER}/certificate.pem", "privateKey": f"{FOLDER}/key.pem",
            "httpPort": 80, "tlsPort": 443,
        }  # fmt: skip
        host.shell(f"mkdir -p {FOLDER}")
        for name, data in (
            ("config.json", json.dumps({"pebble": config}).encode()),
            ("certificate.pem", certificate.read_bytes()),
            ("key.pem", key.read_bytes()),
        ):
            host.send(data, f"{FOLDER}/{name}")
        self._trust = ssl.create_default_context(cadata=own.pem)
        host.shell(
            f"systemd-run --quiet --unit names pebble-challtestsrv -defaultIPv4 {target} "
            f"-defaultIPv6 '' -dns01 :{DNS_PORT} -management :{NAMES_PORT} "
            "-http01 '' -https01 '' -tlsalpn01 '' -doh ''"
        )
        self._start()
        self.root = self._ask(f"https://{host.address}:{MANAGEMENT_PORT}/roots/0").decode()

    @property
    def url(self):
        return f"https://{self._host.address}:{PORT}/dir"

    def _start(self):
        self._host.shell(
            "systemd-run --quiet --unit pebble --setenv PEBBLE_VA_NOSLEEP=1 "
            "--setenv PEBBLE_WFE_NONCEREJECT=50 "
            f"pebble -config {FOLDER}/config.json -dnsserver 127.0.0.1:{DNS_PORT}"
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                self._ask(self.url)
            except OSError:
                assert time.monotonic() < deadline, self._host.shell("journalctl --unit pebble")
                time.sleep(0.1)
            else:
                return

    def stop(self):
        self._host.shell("systemctl stop pebble.service")

    def point(self, name, address):
        """Lead a name to another address."""
        data = json.dumps({"host": f"{name}.", "addresses": [address]}).encode()
        self._ask(f"http://{self._host.address}:{NAMES_PORT}/add-a", data)

    def _ask(self, url, data=None):
        with urllib.request.urlopen(url, data, timeout=5, context=self._trust) as answer:  # noqa: S310
            return answer.read()
