"""The content-addressed store: environments, applications and models, shared between releases."""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from layout import PARTS, Layout, ReleaseError, write


def held(layout: Layout) -> dict[str, list[str]]:
    """Digests of the whole parts in the store, by part."""
    found = {part: sorted(path.name for path in layout.store(part).glob("[!.]*")) for part in PARTS}
    return {part: [each for each in found[part] if is_whole(layout, part, each)] for part in PARTS}


def is_whole(layout: Layout, part: str, digest: str) -> bool:
    """Is a part as it was when it was installed?"""
    return layout.store(part, digest).is_dir() and not changed_files(layout, part, digest)


@functools.cache  # within one run; `install` forgets
def changed_files(layout: Layout, part: str, digest: str) -> list[str]:
    """Paths in a part whose content, owner or mode is not what it was when it was installed."""
    folder = layout.store(part, digest)
    noted, found = _noted_sums(layout.installed_sum(part, digest)), _sums(folder)
    changed = {name for name in noted.keys() | found.keys() if noted.get(name) != found.get(name)}
    for path in (folder, *folder.rglob("*")) if folder.is_dir() else ():
        facts = path.lstat()
        if facts.st_uid != os.geteuid() or (not path.is_symlink() and facts.st_mode & 0o022):
            changed.add(path.relative_to(folder).as_posix())
    return sorted(changed)


def damaged(layout: Layout, parts: dict[str, str]) -> list[str]:
    """Those parts of a release that are no longer as they were installed."""
    return [part for part in PARTS if not is_whole(layout, part, parts[part])]


def tree_digest(folder: Path) -> str:
    """sha256 over the relative paths and contents of all files below `folder`, as 64 hex digits."""
    digest = hashlib.sha256()
    for name, found in _sums(folder).items():
        digest.update(f"{name}\0".encode())
        digest.update(bytes.fromhex(found))
    return digest.hexdigest()


def _noted_sums(note: Path) -> dict[str, str]:
    try:
        noted = json.loads(note.read_text())
    except (OSError, ValueError):
        noted = None
    return noted if isinstance(noted, dict) else {}  # of a spoiled note nothing counts


def _sums(folder: Path) -> dict[str, str]:
    """By relative path; of a link counts where it leads: the host's Python may be upgraded."""
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        ).hexdigest()
        for path in files
    }


def unpack(archive: Path, folder: Path) -> None:
    """Unpack plain files only, below `folder` only; anything else refuses the whole archive."""
    try:
        # Neither compressed nor sparse: what comes out is never larger than what was sent
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                plain = member.isreg() and not member.issparse()
                if not plain or name.is_absolute() or ".." in name.parts:
                    raise ReleaseError(
                        f"{archive.name} holds {member.name!r}, which is not a plain file below it."
                    )
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with tar.extractfile(member) as source, target.open("xb") as out:
                    shutil.copyfileobj(source, out)
    except FileExistsError as error:
        raise ReleaseError(f"{archive.name} holds {name} twice. Deploy again.") from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ReleaseError(f"{archive.name} is damaged: {error}. Deploy again.") from error


def install(
    layout: Layout, part: str, digest: str, vet: Callable[[Path], None] | None = None
) -> None:
    """Bring an uploaded part into the store, whole or not at all; a damaged one is replaced.

    What `vet` refuses does not come in; what is in the store already it sees as well.
    """
    target = layout.store(part, digest)
    if target.exists() and is_whole(layout, part, digest):
        if vet:
            vet(target)
        return
    archive = layout.incoming / f"{part}-{digest}.tar"
    if not archive.is_file():
        raise ReleaseError(f"{archive} was not uploaded. Run the deploy again.")
    staging = layout.store(part, f".new-{digest}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        unpack(archive, staging)
        if part == "env":
            _build_environment(staging)
        elif (found := tree_digest(staging)) != digest:
            raise ReleaseError(
                f"The {part} that arrived is not the one that was sent. Deploy again.",
                expected=digest,
                got=found,
            )
        if vet:
            vet(staging)
        if part == "app":
            _run([sys.executable, "-m", "compileall", "-q", str(staging)], "compile the code")
        layout.installed_sum(part, digest).parent.mkdir(exist_ok=True)
        write(layout.installed_sum(part, digest), json.dumps(_sums(staging)) + "\n")
        changed_files.cache_clear()
        if target.exists():
            target.rename(layout.store(part, f".old-{digest}"))
        staging.rename(target)
        shutil.rmtree(layout.store(part, f".old-{digest}"), ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    archive.unlink()


def _build_environment(staging: Path) -> None:
    python = staging / "bin" / "python"
    _run([sys.executable, "-m", "venv", str(staging)], "make the environment")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(
        [
            *pip, "install", "--quiet", "--no-cache-dir", "--no-index", "--require-hashes",
            "--only-binary", ":all:", "--find-links", str(staging / "wheels"),
            "--requirement", str(staging / "requirements.txt"),
        ],
        "install the environment",
    )  # fmt: skip
    # The running service has no use for an installer
    _run([*pip, "uninstall", "--quiet", "--yes", "pip", "setuptools"], "remove the installer")
    shutil.rmtree(staging / "wheels")


def _run(command: list[str], purpose: str) -> None:
    # The lock alone decides what is installed: no pip setting of the host may add to it
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        ["nice", *command],  # what serves goes first
        capture_output=True,
        text=True,
        check=False,
        env={**clean, "PIP_CONFIG_FILE": "/dev/null"},
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ReleaseError(
            f"Could not {purpose}: {lines[-1] if lines else 'no output'}", log=lines[-20:]
        )


def prune(layout: Layout, wanted: dict[str, set[str]]) -> list[str]:
    """Remove what no release uses, and what a killed deploy left; the names of what went."""
    gone = []
    for part in PARTS:
        for entry in layout.store(part).glob("*"):
            if entry.name not in wanted[part]:
                shutil.rmtree(entry)
                gone.append(f"{part}/{entry.name}")
    for noted in layout.root.glob("store/sums/*"):
        if noted.name not in {f"{part}-{digest}" for part in PARTS for digest in wanted[part]}:
            noted.unlink()
    for archive in layout.incoming.glob("*"):
        archive.unlink()
    return gone
