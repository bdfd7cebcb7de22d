"""The host's certificate: made here, asked of an ACME server or given; served once it is verified.

frontdesk-tls.py prepare|renew|status [SETTINGS]: one line of JSON on stdout, {"changed", "source",
"names", "days"}. `prepare` does what needs no server, so that Nginx can start: it makes or takes a
certificate. `renew` asks the ACME server, or makes a self-signed one anew, when the time has come.
Whatever fails, exit code 1 says so in one line, and what was served before is served on.

Layout below `root`: pairs/<fingerprint>-<any>/{certificate.pem,key.pem,about.json}; live leads to
one of them, and moves with one rename(2).
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path

SETTINGS = Path("/etc/frontdesk-tls.json")
SELF_SIGNED_DAYS = 90
SHARE_LEFT = 1 / 3  # of its life; with less left a certificate is replaced
ACME_SECONDS = 150


class TlsError(Exception):
    """What is wrong with which certificate, in one line."""


@dataclass(frozen=True)
class Settings:
    """What Ansible wrote; `mode` is self_signed, acme or provided."""

    mode: str
    names: list[str]
    root: Path
    challenge_dir: Path
    provided_dir: Path
    served_by: str
    acme_server: str
    acme_email: str
    acme_ca_path: str

    @classmethod
    def read(cls, path: Path) -> "Settings":
        try:
            raw = json.loads(path.read_text())
            folders = {name: Path(raw[name]) for name in ("root", "challenge_dir", "provided_dir")}
            made = cls(**raw | folders)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TlsError(f"{path} is not usable: {error}. Run configure.yml again.") from error
        return made

    @property
    def live(self) -> Path:
        return self.root / "live"

    @property
    def source(self) -> str:
        """Where a certificate of these settings comes from."""
        return self.acme_server if self.mode == "acme" else self.mode

    @property
    def wanted_names(self) -> list[str]:
        """The names that a certificate has to cover; where none is given, the host's own."""
        return self.names or [socket.gethostname(), "localhost", "127.0.0.1", "::1"]


def prepare(settings: Settings) -> bool:
    """Serve what needs no server: the given certificate, or one of our own while there is none."""
    if settings.mode == "provided":
        return _take(settings, "provided", settings.provided_dir / "certificate.pem",
                     settings.provided_dir / "key.pem")  # fmt: skip
    if settings.mode == "self_signed":
        return renew(settings)
    return _about(settings) is None and _sign(settings)


def renew(settings: Settings) -> bool:
    """Replace a certificate of another source, for other names, or near its end."""
    about = _about(settings)
    if settings.mode == "provided" or (about and _is_good(settings, about)):
        return False
    return _ask(settings) if settings.mode == "acme" else _sign(settings)


def status(settings: Settings) -> dict:
    """What is served: {"source", "names", "days"} that are left; TlsError where nothing is."""
    about = _about(settings)
    if about is None:
        raise TlsError(f"{settings.live} holds no certificate. Run configure.yml again.")
    days = (about["not_after"] - time.time()) / 86_400
    return {"source": about["source"], "names": about["names"], "days": round(days, 1)}


def _is_good(settings: Settings, about: dict) -> bool:
    life = about["not_after"] - about["not_before"]
    return (
        about["source"] == settings.source
        and set(about["names"]) == set(settings.wanted_names)
        and about["not_after"] - time.time() > life * SHARE_LEFT
    )


def _about(settings: Settings) -> dict | None:
    """What was noted of the certificate that is served; None where none is, or not wholly."""
    try:
        return json.loads((settings.live / "about.json").read_text())
    except (OSError, ValueError):
        return None


def _sign(settings: Settings) -> bool:
    """Make a self-signed certificate, and serve it."""
    names = settings.wanted_names
    kinds = ", ".join(("IP:" if _is_address(name) else "DNS:") + name for name in names)
    config = (
        "[req]\ndistinguished_name = subject\nx509_extensions = extensions\nprompt = no\n"
        f"[subject]\nCN = {names[0][:64]}\n"
        f"[extensions]\nsubjectAltName = {kinds}\nbasicConstraints = critical, CA:FALSE\n"
        "keyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\n"
    )
    with _temporary(settings) as folder:
        (folder / "request").write_text(config)
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-sha256", "-nodes", "-days", str(SELF_SIGNED_DAYS),
                 "-config", folder / "request", "-keyout", folder / "key",
                 "-out", folder / "certificate")  # fmt: skip
        return _take(settings, "self_signed", folder / "certificate", folder / "key")


def _ask(settings: Settings) -> bool:
    """Ask the ACME server for a certificate (RFC 8555, HTTP-01), with lego; serve it."""
    account = settings.root / "acme"
    words = ["lego", "--accept-tos", "--server", settings.acme_server, "--email",
             settings.acme_email, "--path", account, "--key-type", "ec256", "--http",
             "--http.webroot", settings.challenge_dir]  # fmt: skip
    for name in settings.names:
        words += ["--domains", name]
    environment = dict(os.environ)
    if settings.acme_ca_path:
        environment["LEGO_CA_CERTIFICATES"] = settings.acme_ca_path
    try:
        done = subprocess.run([*words, "run"], capture_output=True, text=True, check=False,
                              env=environment, timeout=ACME_SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TlsError(
            f"{settings.acme_server} gave no certificate within {ACME_SECONDS} s; "
            "the one before serves on. Is port 80 of this host open to the server?"
        ) from error
    if done.returncode:
        raise TlsError(f"{settings.acme_server} gave no certificate for "
                       f"{', '.join(settings.names)}; the one before serves on. "
                       f"{_last_words(done)}")  # fmt: skip
    stem = account / "certificates" / settings.names[0]
    return _take(settings, settings.source, stem.with_name(f"{stem.name}.crt"),
                 stem.with_name(f"{stem.name}.key"))  # fmt: skip


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The client's reason without its date, in one line."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = re.sub(r"^[0-9/]+ [0-9:]+ ", "", lines[-1] if lines else f"exit code {done.returncode}")
    return f"lego says: {said}"


def _take(settings: Settings, source: str, certificate: Path, key: Path) -> bool:
    """Verify a pair and serve it; False where it is served already."""
    about = {"source": source, **_verified(settings, certificate, key)}
    if _about(settings) == about:
        return False
    pairs = settings.root / "pairs"
    pairs.mkdir(mode=0o755, exist_ok=True)
    with _temporary(settings) as folder:
        _write(folder / "certificate.pem", certificate.read_text(), 0o644)
        _write(folder / "key.pem", key.read_text(), 0o600)
        _write(folder / "about.json", json.dumps(about), 0o644)
        folder.chmod(0o755)
        pair = folder.rename(pairs / (about["fingerprint"][:16] + folder.name.removeprefix(".new")))
    before = settings.live.readlink() if settings.live.is_symlink() else None
    _lead(settings, pair.relative_to(settings.root))
    try:
        _reload(settings)
    except TlsError:
        if before:  # what is still served, and what the next attempt compares with
            _lead(settings, before)
        raise
    for other in set(pairs.iterdir()) - {pair}:  # the one before, and those of runs cut off
        shutil.rmtree(other, ignore_errors=True)
    return True


def _lead(settings: Settings, target: Path) -> None:
    """Lead `live` to a pair, with one rename(2)."""
    link = settings.root / f".live.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(settings.live)


def _verified(settings: Settings, certificate: Path, key: Path) -> dict:
    """{"names", "fingerprint", "not_before", "not_after"}; TlsError where the pair can't serve."""
    shown = _openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256",
                     "-startdate", "-enddate", "-pubkey")  # fmt: skip
    public = shown[shown.index("-----BEGIN") :]
    if public.strip() != _openssl("pkey", "-in", key, "-pubout").strip():
        raise TlsError(f"The key {key} is not that of the certificate {certificate}.")
    said = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line and line[0] != "-")
    start, end = (_unix_time(said[name]) for name in ("notBefore", "notAfter"))
    if not start <= time.time() + 60 < end:
        day = datetime.fromtimestamp(end, UTC).date()
        raise TlsError(f"The certificate {certificate} is not valid today (it ends on {day}).")
    for name in settings.wanted_names:
        kind = "-checkip" if _is_address(name) else "-checkhost"
        if "does NOT match" in _openssl("x509", "-in", certificate, "-noout", kind, name):
            raise TlsError(f"The certificate {certificate} does not cover the name {name}.")
    digest = next(text for name, text in said.items() if name.lower().startswith("sha256"))
    return {"names": settings.wanted_names, "fingerprint": digest.replace(":", "").lower(),
            "not_before": start, "not_after": end}  # fmt: skip


def _reload(settings: Settings) -> None:
    """Let the server take the new pair, where it runs."""
    running = subprocess.run(["systemctl", "is-active", "--quiet", settings.served_by], check=False)
    if running.returncode:
        return
    done = subprocess.run(["systemctl", "reload", settings.served_by],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise TlsError(
            f"{settings.served_by} did not take the new certificate: {done.stderr.strip()}"
        )


def _openssl(*words: str | Path) -> str:
    done = subprocess.run(
        ["openssl", *map(str, words)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason"])[0]
        raise TlsError(f"openssl {words[0]} failed on {words[2]}: {said}")
    return done.stdout


def _unix_time(text: str) -> int:
    """Of 'Nov 27 05:00:00 2026 GMT'."""
    month, day, clock, year, _ = text.split()
    return int(parsedate_to_datetime(f"{day} {month} {year} {clock} +0000").timestamp())


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _temporary(settings: Settings) -> Iterator[Path]:
    """A folder beside the pairs; gone afterwards, unless it was renamed."""
    folder = Path(tempfile.mkdtemp(dir=settings.root, prefix=".new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


VERBS = {"prepare": prepare, "renew": renew, "status": lambda _: False}


def main(verb: str, path: str = str(SETTINGS)) -> int:
    os.umask(0o022)
    try:
        settings = Settings.read(Path(path))
        changed = VERBS[verb](settings)
        print(json.dumps({"changed": changed, **status(settings)}))
    except (TlsError, OSError) as error:
        print(str(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
