"""Check a certificate and its key before they are sent anywhere.

check_pair.py [--days=N] [--root=FILE] CERTIFICATE KEY NAMES: exit code 1 and one line on stderr
that says what is wrong with which file, and what to do. NAMES are divided by commas. CERTIFICATE
holds the host's own first, then those up to its root, in PEM. Of a KEY that ansible-vault
encrypted, the plain text is read from stdin. Needs the package cryptography.
"""

import argparse
import ssl
import stat
import sys
import warnings
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate


class PairError(Exception):
    """What is wrong with the pair, in one line."""


def check(certificate: Path, key: Path, names: list[str], days: int, root: Path | None) -> None:
    """Raise PairError for the first thing because of which browsers or Nginx would refuse it."""
    chain = _certificates(certificate)
    _check_key(chain[0], key, certificate)
    _check_dates(chain, certificate, days)
    _check_names(chain[0], names, certificate)
    _check_order(chain, certificate)
    _check_end(chain[-1], certificate, root)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PairError(f"{path} can't be read: {error.strerror}.") from error


def _certificates(path: Path) -> list[Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise PairError(f"{path} holds no certificate in PEM ({error}).") from error


def _check_key(leaf: Certificate, path: Path, certificate: Path) -> None:
    data = _read(path)
    if data.startswith(b"$ANSIBLE_VAULT"):
        data = sys.stdin.buffer.read()
        if not data:
            raise PairError(f"The key {path} is encrypted, and there is no password to read it: "
                            "give --vault-id.")  # fmt: skip
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PairError(f"The key {path} can be read by others: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, None)
    except TypeError as error:
        raise PairError(f"The key {path} has a passphrase, which Nginx can't ask for: "
                        "remove it (openssl pkey).") from error  # fmt: skip
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PairError(f"{path} holds no key in PEM ({error}).") from error
    if key.public_key() != leaf.public_key():
        raise PairError(f"The key {path} is not that of the first certificate in {certificate}.")


def _check_dates(chain: list[Certificate], path: Path, days: int) -> None:
    now = datetime.now(UTC)
    for each in chain:
        who = f"The certificate of {_subject(each)} in {path}"
        begin, end = each.not_valid_before_utc, each.not_valid_after_utc
        if begin > now:
            raise PairError(f"{who} holds only from {begin} on: wait, or look at the clock.")
        if end <= now:
            raise PairError(f"{who} ended on {end:%Y-%m-%d}: get a new one.")
        if end < now + timedelta(days=days):
            raise PairError(f"{who} ends on {end:%Y-%m-%d}, within {days} days "
                            "(tls_days_at_least): get a new one.")  # fmt: skip


def _check_names(leaf: Certificate, names: list[str], path: Path) -> None:
    try:
        given = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise PairError(f"{path} names no host (subjectAltName): browsers refuse it.") from error
    covered = {each.lower() for each in given.get_values_for_type(x509.DNSName)}
    addresses = set(given.get_values_for_type(x509.IPAddress))
    for name in names:
        wildcard = f"*.{name.partition('.')[2]}"
        if _address(name) not in addresses and not covered & {name, wildcard}:
            only = ", ".join(sorted(covered | set(map(str, addresses))))
            raise PairError(f"{path} does not cover {name}, only {only}: get one that does, "
                            "or change tls_server_names.")  # fmt: skip


def _check_order(chain: list[Certificate], path: Path) -> None:
    for each, above in pairwise(chain):
        try:
            each.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise PairError(f"{path} is out of order: {_subject(above)} follows "
                            f"{_subject(each)} and did not issue it. Put the host's own first, "
                            "and each issuer after "
                            "what it issued.") from error  # fmt: skip


def _check_end(last: Certificate, path: Path, root: Path | None) -> None:
    """See that something vouches for the end of the chain; the root itself needs not be sent."""
    if last.issuer == last.subject:
        return
    for each in _certificates(root) if root else _roots_of_this_machine():
        if each.subject == last.issuer:
            return
    raise PairError(f"{path} ends with {_subject(last)}, and its issuer "
                    f"{last.issuer.rfc4514_string()} is no root that is known here: append the "
                    "certificates between them, or name a private root in tls_root_path."
                    )  # fmt: skip


def _roots_of_this_machine() -> list[Certificate]:
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # of others' serial numbers
        return [x509.load_der_x509_certificate(each) for each in found]


def _subject(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string() or "no subject"


def _address(name: str) -> object:
    try:
        return ip_address(name)
    except ValueError:
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=0)
    parser.add_argument("--root", default="")
    parser.add_argument("certificate", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("names", type=lambda text: text.split(","))
    given = parser.parse_args()
    root = Path(given.root) if given.root else None
    try:
        check(given.certificate, given.key, given.names, given.days, root)
    except PairError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
