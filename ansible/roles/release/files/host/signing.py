"""Whether a bundle is whole, signed by a trusted key, and no older than what is live."""

import hashlib
import json
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from layout import Layout, ReleaseError

CARD_NAME = "bundle.json"
PURPOSE = "frontdesk"  # a signature that the same key made for anything else does not count
HOW = "ssh-keygen -Y sign -n frontdesk -f KEY < BUNDLE/bundle.json > BUNDLE.sig"


def check(layout: Layout, bundle: Path, signature: str) -> None:
    """Refuse a bundle that is not whole or, with trusted keys configured, not signed by one.

    The card holds the digests of all other files, and is what is signed.
    """
    _check_files(bundle)
    if not layout.trusted_keys:
        return
    keys = f"a signature by one of the {len(layout.trusted_keys)} trusted keys"
    if not signature:
        raise ReleaseError(f"The bundle is not signed. Sign it: {HOW}", expected=keys, got="none")
    with tempfile.TemporaryDirectory() as folder:
        signers, signed = Path(folder) / "signers", Path(folder) / "signature"
        signers.write_text("".join(f"frontdesk {key}\n" for key in layout.trusted_keys))
        signed.write_text(signature)
        who = ["-f", str(signers), "-I", "frontdesk"]
        if _verify(bundle, "verify", signed, *who).returncode == 0:
            return
        found = _verify(bundle, "check-novalidate", signed)
    if found.returncode == 0:
        got = f"{found.stdout.strip()}, which is not trusted"
        raise ReleaseError("The bundle is signed by a key that is not trusted.",
                           expected=keys, got=got)  # fmt: skip
    said = found.stderr.strip().splitlines() or ["another"]
    raise ReleaseError(f"The signature is not one of this bundle. Sign it anew: {HOW}",
                       expected=keys, got=said[-1])  # fmt: skip


def check_age(layout: Layout, bundle: Path, live: Path) -> None:
    """With trusted keys configured, refuse a bundle made before the live one: a signed replay."""
    if not layout.trusted_keys or not (live / CARD_NAME).exists():
        return
    made, served = (datetime.fromisoformat(_card(each)["created"]) for each in (bundle, live))
    if made < served:
        raise ReleaseError(
            "The bundle is older than the live one. To go back: rollback.yml. "
            "To release it all the same: -e release_allow_downgrade=true",
            expected=f"made at {served.isoformat()} or later", got=f"made at {made.isoformat()}",
        )  # fmt: skip


def _verify(bundle: Path, mode: str, signed: Path, *who: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh-keygen", "-Y", mode, *who, "-n", PURPOSE, "-s", str(signed)],
        input=(bundle / CARD_NAME).read_text(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def _card(bundle: Path) -> dict:
    try:
        card = json.loads((bundle / CARD_NAME).read_text())
        return {"created": card["created"], "files": dict(card["files"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"The bundle has no usable {CARD_NAME}: {type(error).__name__} {error}. Train again.",
            expected=f"{CARD_NAME} with created and files", got=_names(bundle),
        ) from error  # fmt: skip


def _check_files(bundle: Path) -> None:
    noted = _card(bundle)["files"]
    expected = ", ".join(sorted({CARD_NAME, *noted}))
    if (got := _names(bundle)) != expected:
        raise ReleaseError("The bundle does not hold what its card names. Copy it anew.",
                           expected=expected, got=got)  # fmt: skip
    for name, digest in noted.items():
        if (found := hashlib.sha256((bundle / name).read_bytes()).hexdigest()) != digest:
            raise ReleaseError(f"{name} is not the one of this bundle. Copy the bundle anew.",
                               expected=digest, got=found)  # fmt: skip


def _names(bundle: Path) -> str:
    found = (path for path in bundle.rglob("*") if not path.is_dir())
    return ", ".join(sorted(path.relative_to(bundle).as_posix() for path in found)) or "nothing"
