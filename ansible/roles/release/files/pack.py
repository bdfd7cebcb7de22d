"""Make on the control machine what a host needs: release program, environment, application, model.

Prints one JSON line: what fits any kind of host (an id and the commit of the release, its program,
application and model); or, with --env, the wheels for one. A part is {digest, archive, bytes}.
Archives are kept in the cache folder and made again only when their content changes.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import page

HERE = Path(__file__).parent
EPOCH = (1980, 1, 1, 0, 0, 0)  # archives carry no times: same content, same bytes


class PackError(Exception):
    """A refusal in one line."""


def pack_program(cache: Path) -> dict:
    """The host's release program as one file, from the modules in `host/`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted((HERE / "host").glob("*.py")):
            archive.writestr(zipfile.ZipInfo(path.name, EPOCH), path.read_bytes())
    target = cache / "release.pyz"
    _keep(target, content.getvalue())
    return _part(hashlib.sha256(content.getvalue()).hexdigest(), target)


def pack_env(cache: Path, requirements: Path, host: dict, digest: str) -> dict:
    """Wheels for the host's Python and architecture, each checked against the lock's hashes.

    `digest` stands for the lock and all of the host that the choice of wheels depends on.
    """
    target = cache / f"env-{digest}.tar"
    if not _is_whole(target):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            wheels = Path(folder) / "wheels"
            _download(requirements, wheels, host)
            files = {f"wheels/{path.name}": path for path in wheels.iterdir()}
            _tar(target, {"requirements.txt": requirements, **files})
            _keep(_sum_of(target), hashlib.sha256(target.read_bytes()).hexdigest().encode())
    return _part(digest, target)


def pack_app(cache: Path, service: Path) -> dict:
    """The code that serves and the page: nothing of training, no TensorFlow."""
    files = {"gunicorn.conf.py": service / "gunicorn.conf.py"}
    for path in (service / "classifier").rglob("*"):
        name = path.relative_to(service).as_posix()
        wanted = path.is_file() and "__pycache__" not in path.parts
        if wanted and not name.startswith("classifier/training/"):
            files[name] = path
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = page.make(service / "web", Path(folder))
        files |= {f"web/{name}": path for name, path in made.items()}
        return _content_part(cache, "app", files)


def pack_model(cache: Path, service: Path, bundle: Path, signature: Path) -> tuple[dict, dict]:
    """The bundle, after its own check, and the model's card in short, signature included."""
    sys.path.insert(0, str(service))
    sys.dont_write_bytecode = True
    from classifier.bundle import BundleError, load  # noqa: PLC0415 - found through the argument

    try:
        loaded = load(bundle)
    except BundleError as error:
        raise PackError(f"{error}. Or train a new one: make up DATA=folder") from error
    files = {path.name: path for path in bundle.iterdir()}
    card = {"model_id": loaded.model_id, "accuracy": loaded.metrics["accuracy"],
            "labels": len(loaded.labels),
            "signature": signature.read_text() if signature.is_file() else ""}  # fmt: skip
    return _content_part(cache, "model", files), card


def _content_part(cache: Path, part: str, files: dict[str, Path]) -> dict:
    # The same sum over paths and contents that the host makes of what it unpacked
    digest = hashlib.sha256()
    for name in sorted(files, key=Path):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(files[name].read_bytes()).digest())
    target = cache / f"{part}-{digest.hexdigest()}.tar"
    _tar(target, files)
    return _part(digest.hexdigest(), target)


def _part(digest: str, archive: Path) -> dict:
    return {"digest": digest, "archive": str(archive), "bytes": archive.stat().st_size}


def _sum_of(archive: Path) -> Path:
    return archive.with_suffix(".sha256")


def _is_whole(archive: Path) -> bool:
    if not archive.exists() or not _sum_of(archive).exists():
        return False
    return _sum_of(archive).read_text() == hashlib.sha256(archive.read_bytes()).hexdigest()


def _tar(target: Path, files: dict[str, Path]) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            data = files[name].read_bytes()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    _keep(target, content.getvalue())


def _keep(target: Path, data: bytes) -> None:
    if target.exists() and target.read_bytes() == data:
        return
    handle, name = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _download(requirements: Path, wheels: Path, host: dict) -> None:
    # pip takes a platform's tag at its word: every older C library that the host runs is named
    major, minor = (int(number) for number in host["libc"].split(".")[:2])
    tags = [f"manylinux_{major}_{each}_{host['machine']}" for each in range(minor, 16, -1)]
    tags.append(f"manylinux2014_{host['machine']}")
    python = "cp" + host["python"].replace(".", "")
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet",
        "--no-deps",
        "--require-hashes", "--only-binary", ":all:", "--python-version", host["python"],
        "--implementation", "cp", "--abi", python, "--abi", "abi3", "--abi", "none",
        *(word for tag in tags for word in ("--platform", tag)),
        "--requirement", str(requirements), "--dest", str(wheels),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PackError(
            f"No wheels for Python {host['python']} on {host['machine']} from {requirements}: "
            f"{errors[-1] if errors else done.stderr.strip()}"
        )


def describe_commit(folder: Path) -> str:
    """The commit of a checkout, with -dirty where files differ from it; unversioned elsewhere."""
    git = shutil.which("git")
    command = [git or "git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if git else None
    return done.stdout.strip() if done and done.returncode == 0 else "unversioned"


def pack(args: argparse.Namespace) -> dict:
    """What fits any kind of host, and the model's card where the model is a part of it."""
    commit, parts, card = describe_commit(args.service), {}, {}
    if args.parts != "code":
        parts["model"], card = pack_model(args.cache, args.service, args.bundle, args.signature)
    if args.parts != "model":
        parts["app"] = pack_app(args.cache, args.service)
    return {
        "id": f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}-{commit}", "commit": commit,
        "program": pack_program(args.cache), "parts": parts, "card": card,
        "lock": hashlib.sha256(_lock(args).read_bytes()).hexdigest(),
    }  # fmt: skip


def _lock(args: argparse.Namespace) -> Path:
    return args.service / "requirements.txt"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--service", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--signature", type=Path, help="of the bundle's card, where there is one")
    parser.add_argument("--parts", choices=["all", "model", "code"], default="all")
    parser.add_argument("--env", metavar="DIGEST", help="pack the wheels for --host under it")
    parser.add_argument("--host", type=json.loads, help="what `inspect` told of the host, as JSON")
    args = parser.parse_args(argv)
    try:
        args.cache.mkdir(parents=True, exist_ok=True)
        if args.env:
            print(json.dumps(pack_env(args.cache, _lock(args), args.host, args.env)))
        else:
            print(json.dumps(pack(args)))
    except (PackError, page.PageError, OSError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
