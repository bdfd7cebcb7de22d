"""A certificate authority for tests: authority.issue(...) -> files of a certificate and its key."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """A root, or what another authority `above` it vouches for."""

    def __init__(self, name, above=None):
        self.subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (above or self)._sign(
            self.subject, self.key, 3650, [], is_authority=True
        )

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, folder, names, days=90, begins=-1, chain=()):
        """Write certificate.pem (with the `chain` of authorities after it) and key.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        leaf = self._sign(subject, key, days, names, begins=begins)
        folder.mkdir(parents=True, exist_ok=True)
        pem = leaf.public_bytes(serialization.Encoding.PEM).decode()
        paths = folder / "certificate.pem", folder / "key.pem"
        paths[0].write_text("".join([pem, *(each.pem for each in chain)]))
        paths[1].touch(mode=0o600)
        paths[1].write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ))  # fmt: skip
        return paths

    def _sign(self, subject, key, days, names, *, begins=-1, is_authority=False):
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins) - timedelta(days=max(0, -days)))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
            .add_extension(_usage(is_authority), critical=True)
        )
        if names:
            kinds = [_general_name(name) for name in names]
            built = built.add_extension(x509.SubjectAlternativeName(kinds), critical=False)
        return built.sign(self.key, hashes.SHA256())


def _usage(is_authority):
    names = [
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ]  # fmt: skip
    wanted = "key_cert_sign" if is_authority else "digital_signature"
    return x509.KeyUsage(**{name: name == wanted for name in names})


def _general_name(name):
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
