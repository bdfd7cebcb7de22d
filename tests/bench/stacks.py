"""What is measured: how each stack is started, where it answers and what it is asked."""

import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peer_environments
import yaml
from edge import ANSIBLE, CONSTANT_PATH, ROOT, Edge
from server_processes import Server

_HERE = Path(__file__).resolve().parent
_PEERS = _HERE / "peers"
_SERVICE = ROOT / "service"
_GUNICORN = (sys.executable, "-m", "gunicorn")
_WORKERS = yaml.safe_load((ANSIBLE / "roles/classifier/defaults/main.yml").read_text())
WORKERS, THREADS = _WORKERS["classifier_workers"], _WORKERS["classifier_threads"]

# What systemd does: the socket is file descriptor 3, and LISTEN_PID is who may take it
_HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass
class Bench:
    """Where the measured stacks find what they share."""

    folder: Path
    bundle: Path
    keras_model: Path
    labels: tuple[str, ...]
    edge: Edge
    environment: dict[str, str]

    def serve(self, *command: object, cwd: Path, pass_fds: tuple = (), **env: object) -> Server:
        """Start a server with its log in the folder."""
        log = self.folder / f"server-{len(list(self.folder.glob('server-*')))}.log"
        given = {**self.environment, **{name: str(value) for name, value in env.items()}}
        return Server(command, log, cwd=cwd, env=given, pass_fds=pass_fds)

    def listen(self) -> socket.socket:
        """Return the edge's upstream socket, listening, as a systemd socket unit would hold it."""
        self.edge.socket_path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.edge.socket_path))
        listener.listen(1024)
        return listener

    def hand_over(self, *arguments: object, cwd: Path, **env: object) -> Server:
        """Start Python with `arguments` and the edge's socket, as systemd starts the service."""
        with self.listen() as listener:
            fd = listener.fileno()
            command = (sys.executable, "-c", _HAND_OVER, fd, *arguments)
            return self.serve(*command, cwd=cwd, pass_fds=(fd,), **env)


@dataclass(frozen=True)
class Stack:
    """A way to serve: `start` returns its servers but for the edge, given a free port."""

    name: str
    start: Callable[[Bench, int], list[Server]]
    behind_edge: bool = False
    path: str = "/v1/classify"
    peer: str | None = None
    is_limit: bool = False  # answers with a constant
    patience: int = 1  # how many times as long it is loaded
    question: Callable[[str], dict[str, Any]] = field(default=lambda text: {"text": text})

    def body(self, text: str) -> bytes:
        """Return the request's body for one text."""
        return json.dumps(self.question(text)).encode()


def start_frontdesk(bench: Bench, **more: object) -> list[Server]:
    """Start the product's Gunicorn as its unit does, with settings of the role and `more`."""
    arguments = ("-m", "gunicorn", "--config", "gunicorn.conf.py")
    settings = {
        "APP_WORKERS": WORKERS,
        "APP_THREADS": THREADS,
        "APP_BUNDLE_DIR": bench.bundle,
        "APP_RELEASE_ID": "bench",
        "APP_REQUEST_LOG_PATH": bench.folder / "requests.log",
    }
    return [bench.hand_over(*arguments, cwd=_SERVICE, **(settings | more))]


def _frontdesk(bench: Bench, _: int) -> list[Server]:
    return start_frontdesk(bench)


def _flask(app: str, *options: object) -> Callable[[Bench, int], list[Server]]:
    def start(bench: Bench, _: int) -> list[Server]:
        arguments = ("-m", "gunicorn", "--no-control-socket", "--workers", WORKERS, *options, app)
        return [bench.hand_over(*arguments, cwd=_HERE)]

    return start


def _nothing(_: Bench, __: int) -> list[Server]:
    return []


def _uvicorn(*, on_edge: bool) -> Callable[[Bench, int], list[Server]]:
    def start(bench: Bench, port: int) -> list[Server]:
        bench.edge.socket_path.unlink(missing_ok=True)
        place = ("--uds", bench.edge.socket_path) if on_edge else ("--port", port)
        options = ("--workers", WORKERS, "--loop", "uvloop", "--http", "httptools")
        program = peer_environments.ensure("fastapi") / "uvicorn"
        quiet = ("--no-access-log", "--log-level", "warning")
        command = (program, "fastapi_app:app", *place, *options, *quiet)
        return [bench.serve(*command, cwd=_PEERS / "fastapi")]

    return start


def _bentoml(bench: Bench, port: int) -> list[Server]:
    program = peer_environments.ensure("bentoml") / "bentoml"
    place = ("--host", "127.0.0.1", "--port", port)
    home = bench.folder / "bentoml"
    command = (program, "serve", "bentoml_app:Classifier", *place)
    cwd = _PEERS / "bentoml"
    return [bench.serve(*command, cwd=cwd, BENTOML_HOME=home, BENTOML_DO_NOT_TRACK=True)]


def _litserve(bench: Bench, port: int) -> list[Server]:
    python = peer_environments.ensure("litserve") / "python"
    return [bench.serve(python, "litserve_app.py", port, cwd=_PEERS / "litserve")]


def _ray_serve(bench: Bench, port: int) -> list[Server]:
    python = peer_environments.ensure("ray_serve") / "python"
    options = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": 1, "RAY_AUTH_MODE": "disabled"}
    options |= {"RAY_TMPDIR": "/tmp", "RAY_USAGE_STATS_ENABLED": 0}
    return [bench.serve(python, "ray_serve_app.py", port, cwd=_PEERS / "ray_serve", **options)]


def _mlserver(bench: Bench, port: int) -> list[Server]:
    program = peer_environments.ensure("mlserver") / "mlserver"
    ports = {"MLSERVER_HTTP_PORT": port, "MLSERVER_GRPC_PORT": free_port()}
    return [bench.serve(program, "start", ".", cwd=_PEERS / "mlserver", **ports)]


def _v2_question(text: str) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]}


OURS = "Frontdesk"
FLOOR = "Flask, constant"
EDGE_LIMIT = "Nginx, constant"
NAIVE = "model.predict"
FASTAPI_BEHIND = "FastAPI, uvicorn, Nginx"
STACKS = (
    Stack(OURS, _frontdesk, behind_edge=True),
    Stack(
        FLOOR,
        _flask("constant_app:app", "--worker-class", "gthread", "--threads", THREADS),
        behind_edge=True,
        is_limit=True,
    ),
    Stack(EDGE_LIMIT, _nothing, behind_edge=True, path=CONSTANT_PATH, is_limit=True),
    Stack(NAIVE, _flask("naive_app:app", "--timeout", "120"), behind_edge=True, patience=4),
    Stack(FASTAPI_BEHIND, _uvicorn(on_edge=True), behind_edge=True, peer="fastapi"),
    Stack("FastAPI, uvicorn", _uvicorn(on_edge=False), peer="fastapi"),
    Stack(
        "MLServer",
        _mlserver,
        path="/v2/models/classifier/infer",
        peer="mlserver",
        question=_v2_question,
    ),
    Stack("BentoML", _bentoml, peer="bentoml"),
    Stack("LitServe", _litserve, peer="litserve"),
    Stack("Ray Serve", _ray_serve, peer="ray_serve"),
)


def make_bench(folder: Path, bundle: Path, keras_model: Path, labels: tuple[str, ...]) -> Bench:
    """Return what the stacks share; Nginx is configured, nothing runs yet."""
    constant = json.dumps({"results": [{"label": labels[0], "probability": 0.987654}]})
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {
        "PYTHONPATH": f"{_SERVICE}:{_PEERS}",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "BENCH_BUNDLE": str(bundle),
        "BENCH_KERAS_MODEL": str(keras_model),
        "BENCH_LABELS": ",".join(labels),
    }
    edge = Edge(folder / "edge", free_port(), constant)
    return Bench(folder, bundle, keras_model, labels, edge, environment)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
