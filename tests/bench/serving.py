"""What a request costs: the product beside its limits, the naive way and its peers, in one run.

    python tests/bench/serving.py --output build/bench

Rounds over all stacks, one at a time, each started anew; medians of the rounds. Prints a table and
writes serving.json and serving.png. CPU is that of all processes of the servers, Nginx included.
Peers live in environments of their own, made by the first run in build/bench-peers.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bench_environment
import edge
import load_tools
import own_service
import peer_environments
import ratios
import stacks
from peer_environments import AbsentError
from stacks import ROOT, STACKS, Bench, Stack

_HERE = Path(__file__).resolve().parent


def measure(stack: Stack, bench: Bench, options: argparse.Namespace) -> dict[str, float]:
    """Start `stack`, load it, stop it; return the figures of one round."""
    nginx = bench.edge.start() if stack.behind_edge else None
    port = bench.edge.port if nginx else stacks.free_port()
    url = f"http://127.0.0.1:{port}{stack.path}"
    body = bench.folder / "body.json"
    body.write_bytes(stack.body(load_tools.long_text()))
    servers = [nginx] if nginx else []
    try:
        if nginx:
            load_tools.await_answer(f"http://127.0.0.1:{port}{stacks.CONSTANT_PATH}", None, nginx)
        begun = time.monotonic()
        servers += stack.start(bench, port)
        answer = load_tools.await_answer(url, body.read_bytes(), servers[-1])
        start_seconds = time.monotonic() - begun
        if not stack.is_limit:
            check_answer(answer, bench, stack)
        load_tools.run_wrk(url, body, options.connections, stack.patience)  # every worker warm
        before = sum(server.cpu_seconds() for server in servers)
        load = load_tools.run_wrk(url, body, options.connections, options.seconds * stack.patience)
        cpu_seconds = sum(server.cpu_seconds() for server in servers) - before
        return {
            "requests_per_second": load["requests"] / load["seconds"],
            "cpu_us_per_request": cpu_seconds / load["requests"] * 1e6,
            "p50_ms": load["p50_ms"],
            "p99_ms": load["p99_ms"],
            "errors": load["errors"],
            "memory_mb": sum(server.pss_megabytes() for server in servers),
            "start_seconds": start_seconds,
        }
    finally:
        for server in reversed(servers):
            server.stop()


def check_answer(answer: bytes, bench: Bench, stack: Stack) -> None:
    """AbsentError unless one of the model's labels was given."""
    if not any(f'"{label}"' in answer.decode() for label in bench.labels):
        raise AbsentError(f"{stack.name} answered {answer[:200]!r}, which holds no label")


def measure_all(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Return {"rounds": {name: [figures, ...]}, "absent": {name: reason}}."""
    chosen = [stack for stack in STACKS if not options.only or stack.name in options.only]
    absent = prepare_peers(chosen)
    rounds: dict[str, list] = {stack.name: [] for stack in chosen if stack.name not in absent}
    for number in range(1, options.rounds + 1):
        for stack in [stack for stack in chosen if stack.name not in absent]:
            say(f"round {number} of {options.rounds}: {stack.name}")
            try:
                rounds[stack.name].append(measure(stack, bench, options))
            except AbsentError as error:
                if stack.peer is None:
                    sys.exit(f"{stack.name}: {error}")
                absent[stack.name] = str(error)
                rounds.pop(stack.name)
    return {"rounds": rounds, "absent": absent}


def prepare_peers(chosen: list[Stack]) -> dict[str, str]:
    """Make the environments of the peers; return the reason for each that is absent."""
    absent = {}
    for stack in chosen:
        try:
            if stack.peer is not None:
                peer_environments.ensure(stack.peer)
        except AbsentError as error:
            absent[stack.name] = str(error)
    return absent


def medians(rounds: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the median of each figure; errors are added up."""
    return {
        name: {
            key: sum(each[key] for each in runs)
            if key == "errors"
            else statistics.median(each[key] for each in runs)
            for key in runs[0]
        }
        for name, runs in rounds.items()
    }


def make_bundle(folder: Path) -> Path:
    """Train on the sample data once; return the bundle."""
    bundle = folder / "bundle"
    if not bundle.exists():
        say("training the model on the sample data")
        command = [
            sys.executable,
            "-m",
            "classifier",
            "train",
            load_tools.SAMPLE,
            "--output",
            bundle,
        ]
        subprocess.run(command, cwd=ROOT / "service", check=True, capture_output=True)
    return bundle


def prepare(output: Path, given: Path | None, temporary: Path) -> Bench:
    """Return the bench with its models in `output` and what is thrown away in `temporary`."""
    bundle = given.resolve() if given else make_bundle(output)
    keras_model = output / "naive.keras"
    command = [sys.executable, _HERE / "naive_model.py", bundle, keras_model]
    env = {"PYTHONPATH": str(ROOT / "service"), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, env=env, check=True, capture_output=True)
    labels = tuple(json.loads((bundle / "bundle.json").read_text())["labels"])
    return stacks.make_bench(temporary, bundle, keras_model, labels)


def table(figures: dict[str, dict[str, float]], absent: dict[str, str]) -> str:
    """Return the figures as a table for a terminal, the cheapest request first."""
    columns = {
        "cpu_us_per_request": ("CPU us/req", ",.0f"),
        "requests_per_second": ("req/s", ",.0f"),
        "p50_ms": ("p50 ms", ",.2f"),
        "p99_ms": ("p99 ms", ",.2f"),
        "errors": ("errors", ",.0f"),
        "memory_mb": ("MB", ",.0f"),
        "start_seconds": ("start s", ".2f"),
    }
    lines = [f"{'':26}" + "".join(f"{title:>11}" for title, _ in columns.values())]
    for name, run in sorted(figures.items(), key=lambda item: item[1]["cpu_us_per_request"]):
        cells = (f"{format(run[key], form):>11}" for key, (_, form) in columns.items())
        lines.append(f"{name:26}" + "".join(cells))
    lines += [f"{name:26} absent: {' '.join(reason.split())}" for name, reason in absent.items()]
    return "\n".join(lines)


def say(text: str) -> None:
    """Talk goes to stderr; the table to stdout."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    made.add_argument("--bundle", type=Path, metavar="FOLDER", help="default: of the sample data")
    made.add_argument("--rounds", type=int, default=3, metavar="N")
    made.add_argument("--seconds", type=int, default=5, metavar="N", help="of load in a round")
    made.add_argument("--connections", type=int, default=16, metavar="N")
    made.add_argument("--only", nargs="+", choices=[stack.name for stack in STACKS])
    return made


def main() -> int:
    options = parser().parse_args()
    edge.check_programs()
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="frontdesk-bench-"))
    try:
        bench = prepare(output, options.bundle, temporary)
        result = measure_all(bench, options)
        if not options.only or stacks.OURS in options.only:
            say("the product alone: batches, overload, a new worker")
            result["own"] = own_service.measure(bench, options.seconds, options.rounds)
    finally:
        shutil.rmtree(temporary)
    result["medians"] = medians(result["rounds"])
    result["targets"] = ratios.judge(result["medians"], result.get("own"))
    written = output / "serving.json"
    written.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result["medians"], result["absent"]), end="\n\n")
    if "own" in result:
        print(json.dumps(result["own"], indent=1), end="\n\n")
    print(ratios.table(result["targets"]))
    picture = written.with_suffix(".png")
    subprocess.run(
        [bench_environment.ensure(), _HERE / "draw_serving.py", written, picture], check=True
    )
    say(f"{written} and {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
