"""From texts to a URL that classifies, on this machine: environment, engine, training, deploy.

Talk goes to stderr, the result to stdout; the very last line is the bare URL. Standard library
only: it runs before there is an environment. A repeated run changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import environment
from machine import HOST, ROOT, MachineError, ensure_docker, say

DEFAULT_PORT = 8080
SAMPLE = ROOT / "service" / "sample_data"


class Stages:
    """Runs stages in order and remembers how long each took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], object]) -> object:
        say(f"\n== {name}")
        began = time.monotonic()
        result = work()
        self.seconds[name] = time.monotonic() - began
        return result


def command(words: list[str], folder: Path, purpose: str, *, quiet: bool = False) -> str:
    """Run a program with its talk on stderr; its stdout, when `quiet`. MachineError if it fails."""
    done = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE if quiet else sys.stderr, text=True, check=False,
        env={**os.environ, "PATH": f"{environment.VENV / 'bin'}:{os.environ['PATH']}"},
    )  # fmt: skip
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode:
        raise MachineError(
            f"{purpose} failed (exit code {done.returncode}); the reason stands above."
        )
    return done.stdout or ""


def train(data: Path, test: Path | None, bundle: Path) -> dict:
    """Train on `data`, unless the bundle is of that data already; the training's own summary."""
    out = command(
        [str(environment.VENV / "bin/python"), "-m", "classifier", "train", str(data),
         "--output", str(bundle),
         *(["--test", str(test)] if test else [])],
        ROOT / "service", "Training", quiet=True,
    )  # fmt: skip
    return json.loads(out.strip().splitlines()[-1])


def deploy(inventory: Path, bundle: Path, port: int) -> None:
    command(
        ["ansible-playbook", "deploy.yml", "--inventory", str(inventory),
         "--extra-vars", f"docker_host_http_port={port}",
         "--extra-vars", json.dumps({"release_bundle_dir": str(bundle)})],
        ROOT / "ansible", "The deploy",
    )  # fmt: skip


def choose_port(host: str, wanted: int | None) -> int:
    """The port of the URL: that of the host that is there, or the wanted one if it is free."""
    ours = subprocess.run(
        ["docker", "port", host, "80"], capture_output=True, text=True, check=False
    )
    if ours.returncode == 0 and ours.stdout.strip():
        port = int(ours.stdout.split()[0].rsplit(":", 1)[1])
        if wanted not in (None, port):
            raise MachineError(
                f"{host} answers at port {port} and holds your releases. "
                f"Repeat without PORT, or begin anew on {wanted}: make down, then make up."
            )
        return port
    port = wanted if wanted is not None else DEFAULT_PORT
    if not 0 < port < 65536:
        raise MachineError(f"Port {port} is none. Take one from 1 to 65535: make up PORT=8080")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            other = port % 65535 + 1
            raise MachineError(
                f"Port {port} can't be used ({error}). Take another: make up PORT={other}"
            ) from error
    return port


def ask(url: str, text: str, seconds: float = 10) -> dict:
    """Classify one text through Nginx; the answer's only result."""
    request = urllib.request.Request(  # noqa: S310 - our own http URL
        f"{url}/v1/classify",
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine
        with opener.open(request, timeout=seconds) as answer:
            return json.load(answer)["results"][0]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise MachineError(f"{url} does not classify: {error}. Look: make status") from error


def example(bundle: Path) -> str:
    """A text to ask with: of the bundle's short golden texts the one with the surest answer."""
    golden = json.loads((bundle / "bundle.json").read_text())["golden"]
    surest = max(golden, key=lambda each: (len(each["text"]) <= 100, each["probability"]))
    return surest["text"].strip()


def summary(url: str, trained: dict, stages: Stages, text: str, answer: dict) -> str:
    times = ", ".join(f"{name.lower()} {seconds:.0f} s" for name, seconds in stages.seconds.items())
    return "\n".join([
        "",
        f"asked      {' '.join(text.split())[:200]}",
        f"answered   {answer['label']} ({answer['probability']:.0%})",
        f"accuracy   {trained['accuracy']:.1%} on {trained['held_out_texts']} held-out texts "
        f"(trained on {trained['training_texts']}, labels: {len(trained['labels'])})",
        f"report     {trained['report']}/report.html",
        f"took       {times}; {sum(stages.seconds.values()):.0f} s in all",
        "next       open the URL, or ask it:",
        f"           curl {url}/v1/classify --json '{{\"text\": \"...\"}}'",
        "           make up DATA=folder   your own texts    make status   what is live",
        "           make rollback   the release before      make down     take it all away",
        url,
    ])  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=SAMPLE, help="folder of class folders, or csv")
    parser.add_argument("--test", type=Path, help="texts to measure on, instead of a part of data")
    parser.add_argument("--port", type=int, help="port of the URL on this machine (8080)")
    parser.add_argument("--bundle", type=Path, default=ROOT / "build/bundle")
    parser.add_argument("--inventory", type=Path, default=ROOT / "ansible/inventory/local.yml")
    parser.add_argument("--host", default=HOST, help="the inventory's Docker host")
    args = parser.parse_args(argv)
    data, test = (
        (path.expanduser().resolve() if path else None) for path in (args.data, args.test)
    )
    bundle, stages = args.bundle.resolve(), Stages()
    try:
        for path in filter(None, (data, test)):
            if not path.exists():
                raise MachineError(f"There is no {path}. Name a folder or a csv: make up DATA=...")
        stages.run("Environment", environment.ensure)
        stages.run("Docker Engine", ensure_docker)
        port = choose_port(args.host, args.port)
        trained = stages.run("Training", lambda: train(data, test, bundle))
        stages.run("Deploy", lambda: deploy(args.inventory.resolve(), bundle, port))
        url, text = f"http://127.0.0.1:{port}", example(bundle)
        answer = stages.run("Question", lambda: ask(url, text))
    except MachineError as error:
        say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Repeat `make up` to go on, or `make down` to take back what was made.")
        return 130
    print(summary(url, trained, stages, text, answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
