"""The test cloud's front: one HTTP port, a log of every call, and faults on demand."""

import functools
import io
import itertools
import json
import logging
import os
import re
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qs

os.environ.update(
    MOTO_EC2_LOAD_DEFAULT_AMIS="false",  # a thousand, each made anew for every test
    MOTO_ENABLE_AMI_VALIDATION="1",
    MOTO_ENABLE_KEYPAIR_VALIDATION="1",
    MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="1",
)

import boto3
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models.amis import Ami
from moto.moto_api._internal import moto_api_backend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from . import corrections, pricelist

logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the calls have a log of their own

REGION = "eu-central-1"
DEBIAN = "136693071363"
SOMEBODY = "999988887777"
# name: (id, owner, architecture); the newest by date is an impostor's
IMAGES = {
    "debian-13-amd64-20260102-2000": ("ami-0d13000000000001a", DEBIAN, "x86_64"),
    "debian-13-amd64-20261101-2300": ("ami-0d13000000000002a", DEBIAN, "x86_64"),
    "debian-13-arm64-20261101-2300": ("ami-0d13000000000002b", DEBIAN, "arm64"),
    "debian-12-amd64-20261110-2310": ("ami-0d12000000000003a", DEBIAN, "x86_64"),
    "debian-13-amd64-20261120-2320": ("ami-0bad000000000004a", SOMEBODY, "x86_64"),
}


@dataclass
class Fault:
    """What happens to the next calls of an action: an error code, or what becomes of the line."""

    action: str
    code: str = ""
    status: int = 400
    line: str = ""  # "dropped", "lost" (done, but the answer never comes), "slow", "silent"
    seconds: float = 0
    times: int = 1
    skip: int = 0
    message: str = "made up by a test"

    def strikes(self, action):
        if not re.fullmatch(self.action, action) or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Call:
    service: str
    action: str
    parameters: dict = field(repr=False)

    def __str__(self):
        return f"{self.service}:{self.action}"


class Cloud:
    """Serves moto over HTTP from this process, so that tests see its insides."""

    def __init__(self):
        corrections.apply()
        self.calls, self.faults = [], []
        self.on_call = self.price_list = None
        self._over = threading.Event()  # for this account: slow calls have no effect on the next
        self._application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=MotoRequestHandler
        )
        self._server.daemon_threads = True
        self._server.log = lambda *_: None
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self):
        """What a program needs to speak with this cloud and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "FKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    @functools.cache  # noqa: B019 - one cloud lives as long as the tests
    def client(self, service):
        """A boto3 client of this cloud, whatever the environment says."""
        secret = self.environment["AWS_SECRET_ACCESS_KEY"]
        return boto3.client(service, region_name=REGION, endpoint_url=self.url,
                            aws_access_key_id="FKIAIOSFODNN7EXAMPLE",
                            aws_secret_access_key=secret)  # fmt: skip

    @property
    def ec2(self):
        return get_backend("ec2")[DEFAULT_ACCOUNT_ID][REGION]

    @property
    def iam(self):
        return get_backend("iam")[DEFAULT_ACCOUNT_ID]["aws"]

    def reset(self):
        """An empty account again, with Debian's images and a default network."""
        over, self._over = self._over, threading.Event()
        over.set()
        moto_api_backend.reset()
        self.calls.clear()
        self.faults.clear()
        self.on_call = self.price_list = None
        corrections.Pace.seconds = 0.05
        for name, (image_id, owner, architecture) in IMAGES.items():
            date = name.split("-")[3]
            self.ec2.amis[image_id] = Ami(
                self.ec2, image_id, name=name, owner_id=owner, architecture=architecture,
                public=True, virtualization_type="hvm", root_device_type="ebs",
                root_device_name="/dev/xvda",
                creation_date=_moment(f"{date[:4]}-{date[4:6]}-{date[6:]}"),
            )  # fmt: skip

    def close(self):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def actions(self):
        return [str(call) for call in self.calls]

    def _serve(self, environ, start_response):
        call = _read(environ)
        fault = None
        if call:
            self.calls.append(call)
            if self.on_call:
                self.on_call(call)
            fault = next((each for each in self.faults if each.strikes(call.action)), None)
        if fault is None:
            return self._answer(call, environ, start_response)
        if fault.code:
            return _refuse(call, fault, start_response)
        slow = fault.line in ("slow", "silent")
        gone = slow and self._over.wait(fault.seconds or 3600)
        if fault.line == "lost":
            for _ in self._answer(call, environ, lambda *_: None):
                pass
        if gone or fault.line in ("lost", "dropped", "silent"):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        return self._answer(call, environ, start_response)

    def _answer(self, call, environ, start_response):
        if call and call.service == "pricing":
            return pricelist.answer(self.price_list, call.parameters, start_response)
        if call and call.action.endswith("Session"):  # moto has no Session Manager
            start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
            return [b'{"SessionId": "ada-0123"}']
        return self._application(environ, start_response)


def _moment(day):
    from moto.core.parse import default_timestamp_parser

    return default_timestamp_parser(f"{day}T00:00:00.000Z")


def _read(environ):
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return None
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    target = environ.get("HTTP_X_AMZ_TARGET")
    values = json.loads(body) if target else {k: v[0] for k, v in parse_qs(body.decode()).items()}
    return Call(scope[1], target.split(".")[-1] if target else values.get("Action", "?"), values)


REQUESTS = itertools.count(1)


def _refuse(call, fault, start_response):
    inner = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>"
    number = f"<RequestId>r-{next(REQUESTS)}</RequestId>"
    if call.service == "ec2":
        body = f"<Response><Errors>{inner}</Errors>{number}</Response>"
    else:
        body = f"<ErrorResponse>{inner}{number}</ErrorResponse>"
    start_response(f"{fault.status} Refused", [("Content-Type", "text/xml")])
    return [body.encode()]
