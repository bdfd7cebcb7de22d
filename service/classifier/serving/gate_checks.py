"""What the gate checks of a candidate release, and how each refusal reads."""

import json
import statistics
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from classifier.bundle import Bundle, GoldenText
from classifier.serving.unix_http import Answer, AskError, AskTimeoutError, Connection

PAUSE_SECONDS = 0.05
MOST_WORKERS = 64


class GateError(Exception):
    """A reason not to go live: what was found, what was expected, what came instead."""

    def __init__(self, cause: str, expected: Any, got: Any) -> None:
        super().__init__(cause)
        self.cause, self.expected, self.got = cause, expected, got


@dataclass
class Candidate:
    """A release that listens on its own socket, and what it must answer by `deadline`.

    The deadline is a time.monotonic() value; each check returns a line that says what it saw.
    """

    socket_path: str
    bundle: Bundle
    release_id: str
    deadline: float
    requests_per_worker: int
    latency_budget_ms: float
    tolerance: float
    workers: int = 0
    latencies: list[float] = field(default_factory=list)

    def check_readiness(self) -> str:
        """Wait until the expected model and release say that they are ready."""
        answer = self._first_answer()
        self._check_identity(answer)
        self.workers = _take(answer, "workers", int)
        if not 1 <= self.workers <= MOST_WORKERS:
            raise GateError(
                "GET /readyz claims a strange number of workers",
                f"1 to {MOST_WORKERS}",
                self.workers,
            )
        return f"release {self.release_id} with model {self.bundle.model_id} is ready"

    def check_answers(self) -> str:
        """Ask each golden text of each worker, and compare labels and probabilities."""
        with ExitStack() as stack:
            connections = self._find_workers(stack)
            # Worker by worker for each text: no connection idles until the service closes it.
            for number, golden in enumerate(self.bundle.golden):
                for worker, connection in connections.items():
                    try:
                        self._check_golden(number, golden, worker, connection)
                    finally:
                        self._check_pace()
        return f"{len(self.bundle.golden)} golden texts right on each of {self.workers} workers"

    def check_latency(self) -> str:
        """Compare the median time of the golden requests with the budget."""
        median = f"{statistics.median(self.latencies) * 1000:.1f} ms"
        budget = f"{self.latency_budget_ms:g} ms"
        if statistics.median(self.latencies) * 1000 > self.latency_budget_ms:
            raise GateError(f"golden texts took {median} (median)", f"at most {budget}", median)
        return f"{median} (median), budget {budget}"

    def _check_pace(self) -> None:
        """Refuse a slow candidate when no quick answers can save its median, or its time is up."""
        slow = sum(seconds * 1000 > self.latency_budget_ms for seconds in self.latencies)
        if 2 * slow > self.workers * len(self.bundle.golden) or (slow and self._is_over()):
            self.check_latency()

    def _first_answer(self) -> Answer:
        reason = ""
        while True:
            try:
                with closing(self._connect()) as connection:
                    answer = connection.ask("GET", "/readyz")
                if answer.status != 503:
                    return answer
                reason = f"GET /readyz answered 503: {_shown(answer.body)}"
            except AskTimeoutError as error:
                reason = reason or str(error)  # what came before says more than that time is up
            except AskError as error:
                if not error.passing:
                    raise _no_answer(error) from error
                reason = str(error)
            if self._is_over():
                raise GateError(f"not ready in time: {reason}", "200 from GET /readyz", reason)
            time.sleep(PAUSE_SECONDS)

    def _find_workers(self, stack: ExitStack) -> dict[str, Connection]:
        """Return a connection to each worker: a kept connection stays with its worker."""
        most = 0
        while not self._is_over():
            # Opened all at once: a single worker could be quick enough to take one after another.
            count = self.workers * self.requests_per_worker
            connections = [self._open(stack) for _ in range(count)]
            found = {self._ask_worker(connection): connection for connection in connections}
            if len(found) >= self.workers:
                return found
            most = max(most, len(found))
            for connection in connections:
                connection.close()
            time.sleep(PAUSE_SECONDS)
        cause = f"only {most} of {self.workers} workers answered GET /readyz"
        raise GateError(cause, self.workers, most)

    def _ask_worker(self, connection: Connection) -> str:
        answer = _ask(connection, "GET", "/readyz")
        self._check_identity(answer)
        worker = answer.headers.get("X-Worker")
        if worker is None:
            raise GateError("GET /readyz does not say which worker answers", "X-Worker", "none")
        return worker

    def _check_identity(self, answer: Answer) -> None:
        if answer.status != 200:
            got = f"{answer.status}: {_shown(answer.body)}"
            raise GateError(f"{answer.question} answered {answer.status}", 200, got)
        expected = {"model_id": self.bundle.model_id, "release_id": self.release_id}
        for key, value in expected.items():
            if (found := _take(answer, key, str)) != value:
                raise GateError(f"another {key} answers {answer.question}", value, found)

    def _check_golden(
        self, number: int, golden: GoldenText, worker: str, connection: Connection
    ) -> None:
        # Without a threshold: what the service abstains from is no matter of the model
        question = {"text": golden.text, "threshold": 0}
        answer = _ask(connection, "POST", "/v1/classify", question)
        self.latencies.append(answer.seconds)
        self._check_identity(answer)
        where = f"golden text {number} ({golden.text[:40]!r}) on worker {worker}"
        try:
            (result,) = answer.body["results"]
            label, probability = str(result["label"]), float(result["probability"])
        except (KeyError, TypeError, ValueError) as error:
            got = _shown(answer.body)
            raise GateError(f"{where} got no label", "label and probability", got) from error
        if label != golden.label:
            raise GateError(f"{where} got another label", golden.label, label)
        # Written so that NaN, which compares as false, is refused.
        if not abs(probability - golden.probability) <= self.tolerance:
            cause = f"{where} got a probability more than {self.tolerance:g} off"
            raise GateError(cause, golden.probability, str(probability))

    def _connect(self) -> Connection:
        return Connection(self.socket_path, self.deadline)

    def _open(self, stack: ExitStack) -> Connection:
        try:
            return stack.enter_context(closing(self._connect()))
        except AskError as error:
            raise _no_answer(error) from error

    def _is_over(self) -> bool:
        return time.monotonic() + PAUSE_SECONDS > self.deadline


def _ask(connection: Connection, method: str, path: str, body: Any = None) -> Answer:
    try:
        return connection.ask(method, path, body)
    except AskError as error:
        raise _no_answer(error) from error


def _no_answer(error: AskError) -> GateError:
    return GateError(str(error), "an answer in JSON over HTTP", "none")


def _take(answer: Answer, key: str, kind: type) -> Any:
    value = answer.body.get(key) if isinstance(answer.body, dict) else None
    if type(value) is not kind:  # isinstance would take true for a number
        cause = f"{answer.question} has no {key} in its answer"
        raise GateError(cause, f"{key}, a {kind.__name__}", _shown(answer.body))
    return value


def _shown(body: Any) -> str:
    return json.dumps(body)[:200]
