"""What a release is made of, as a CycloneDX bill of materials beside it."""

import json
import platform
import uuid
from importlib import metadata

from layout import Layout

NAME = "sbom.json"


def of_release(layout: Layout, release_id: str, created: str, parts: dict[str, str]) -> dict:
    """The bill: every distribution of the environment, the code, the model, and Python itself."""
    site = layout.store("env", parts["env"]).glob("lib/python*/site-packages")
    packages = sorted(
        (_package(each) for each in metadata.distributions(path=[str(folder) for folder in site])),
        key=lambda package: package["bom-ref"],
    )
    python = platform.python_version()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'frontdesk:{release_id}')}",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "component": {"type": "application", "bom-ref": "release", "name": "frontdesk",
                          "version": release_id},
        },
        "components": [
            _part("application", "app", parts["app"]),
            _part("machine-learning-model", "model", parts["model"]),
            {"type": "platform", "bom-ref": "python", "name": "python", "version": python,
             "purl": f"pkg:generic/python@{python}"},
            *packages,
        ],
    }  # fmt: skip


def in_short(layout: Layout, release_id: str) -> dict:
    """Where the bill of a release lies and how many packages it names; empty without one."""
    path = layout.releases / release_id / NAME
    try:
        components = json.loads(path.read_text())["components"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {"path": str(path), "packages": sum(map(_is_package, components))}


def _is_package(component: dict) -> bool:
    return component["type"] == "library"


def _part(kind: str, name: str, digest: str) -> dict:
    # The digest is of all files of the part: paths and contents
    return {"type": kind, "bom-ref": name, "name": name, "version": digest[:12],
            "hashes": [{"alg": "SHA-256", "content": digest}]}  # fmt: skip


def _package(found: metadata.Distribution) -> dict:
    name = found.metadata["Name"]
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{found.version}"
    package = {"type": "library", "bom-ref": purl, "name": name, "version": found.version,
               "purl": purl}  # fmt: skip
    said = found.metadata.get("License-Expression")
    return package | ({"licenses": [{"expression": said}]} if said else {})
