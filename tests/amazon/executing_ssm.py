"""Systems Manager that really runs commands, in place of the one that answers Success to everything.

A host is a folder of this machine. A command is checked against its document's parameters as Amazon does, rendered, and
run by `/bin/sh` in that folder; its states, its exit code and the cut of its output are Amazon's. Plain moto answers
Success without running anything, and also for machines that there are not: a test that passes there proves nothing.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ssm.responses import SimpleSystemManagerResponse

_OF_MOTO = {
    name: getattr(SimpleSystemManagerResponse, name) for name in ("send_command", "get_command_invocation")
}
OUTPUT_CUT = 24_000
ERRORS_CUT = 8_000
_RUNUSER = '#!/bin/sh\n# as the user that we are: runuser -u USER -- COMMAND\nshift 3\nexec "$@"\n'


@dataclass(slots=True, kw_only=True)
class Machine:
    """One host. What is set here is how it behaves from now on."""

    folder: Path  # its working directory, whatever the document says
    environment: Mapping[str, str]
    is_online: bool = True
    deliveries: int = 1  # of each command
    takes_s: float = 0.0  # before a command begins
    deliver_within_s: float | None = None  # in place of what the command says, whose least is 30
    execute_within_s: float | None = None  # in place of what the document says
    cancels: Callable[[str], bool] = lambda verb: False  # by somebody else, as soon as it began
    ran: list[str] = field(default_factory=list)  # every command line that was run


class ExecutingSsm:
    """All regions of one account."""

    def __init__(self) -> None:
        self.machines: dict[tuple[str, str], Machine] = {}  # by region and id
        self._told: dict[tuple[str, str], dict[str, Any]] = {}
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._threads: list[threading.Thread] = []

    def machine(self, region: str, instance: str, folder: Path, environment: Mapping[str, str]) -> Machine:
        """A host in that folder."""
        tools = folder.with_name(f"{folder.name}-tools")
        tools.mkdir(parents=True)
        (tools / "runuser").write_text(_RUNUSER)
        (tools / "runuser").chmod(0o755)
        path = f"{tools}:{os.environ['PATH']}"
        made = Machine(folder=folder, environment={**environment, "PATH": path})
        self.machines[region, instance] = made
        return made

    def send(self, region: str, document: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        """SendCommand."""

        for instance in asked["InstanceIds"]:
            if (region, instance) not in self.machines:
                raise refusal("InvalidInstanceId", "")
        parameters = {name: values[0] for name, values in asked.get("Parameters", {}).items()}
        _check(document, parameters)
        command = str(uuid.uuid4())
        for instance in asked["InstanceIds"]:
            machine = self.machines[region, instance]
            told = _invocation(command, instance, asked["DocumentName"])
            self._told[command, instance] = told
            work = threading.Thread(target=self._deliver, args=(machine, document, parameters, asked, told))
            self._threads.append(work)
            work.start()
        now = time.time()
        return {
            "CommandId": command,
            "DocumentName": asked["DocumentName"],
            "InstanceIds": list(asked["InstanceIds"]),
            "Parameters": asked.get("Parameters", {}),
            "RequestedDateTime": now,
            "ExpiresAfter": now + asked.get("TimeoutSeconds", 3600),
            "Status": "Pending",
            "StatusDetails": "Pending",
            "TimeoutSeconds": asked.get("TimeoutSeconds", 3600),
            "TargetCount": len(asked["InstanceIds"]),
            "CompletedCount": 0,
            "ErrorCount": 0,
        }

    def told(self, command: str, instance: str) -> dict[str, Any]:
        """GetCommandInvocation."""
        found = self._told.get((command, instance))
        if found is None:
            raise refusal("InvocationDoesNotExist", "")
        return dict(found)

    def cancel(self, command: str) -> None:
        """CancelCommand."""
        for (known, _), told in self._told.items():
            if known == command and told["Status"] in ("Pending", "InProgress", "Delayed"):
                _set(told, "Cancelled")
                _kill(self._running.get(command))

    @contextmanager
    def only_says_success(self) -> Iterator[None]:
        """Answer as moto does by itself, while the block runs."""
        with mock.patch.multiple(SimpleSystemManagerResponse, **_OF_MOTO):
            yield

    def join(self) -> None:
        """Wait until nothing runs any more."""
        for process in self._running.values():
            _kill(process)
        for thread in self._threads:
            thread.join()

    def _deliver(
        self,
        machine: Machine,
        document: Mapping[str, Any],
        parameters: Mapping[str, str],
        asked: Mapping[str, Any],
        told: dict[str, Any],
    ) -> None:
        deliver_s = machine.deliver_within_s or asked.get("TimeoutSeconds", 3600)
        until_s = time.monotonic() + deliver_s
        while not machine.is_online:
            if told["Status"] == "Cancelled":
                return
            if time.monotonic() > until_s:
                _set(told, "TimedOut", "DeliveryTimedOut")
                return
            time.sleep(0.01)
        time.sleep(machine.takes_s)
        step = document["mainSteps"][0]["inputs"]
        script = "\n".join(
            re.sub(r"\{\{ *(\w+) *\}\}", lambda name: parameters[name[1]], line)
            for line in step["runCommand"]
        )
        within_s = machine.execute_within_s or float(step["timeoutSeconds"])
        for _ in range(machine.deliveries):
            if told["Status"] == "Cancelled":
                return
            self._run(machine, script, within_s, told, cancel=machine.cancels(parameters.get("verb", "")))

    def _run(
        self, machine: Machine, script: str, within_s: float, told: dict[str, Any], *, cancel: bool
    ) -> None:
        machine.ran.append(script)
        process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=machine.folder,
            env=dict(machine.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._running[told["CommandId"]] = process
        if told["Status"] == "Pending":
            _set(told, "InProgress")
        if cancel:
            self.cancel(told["CommandId"])
        try:
            output, errors = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            output, errors = process.communicate()
            _end(told, output, errors, -1)
            _set(told, "TimedOut", "ExecutionTimedOut")
            return
        if told["Status"] == "Cancelled":
            return
        _end(told, output, errors, process.returncode)
        _set(told, "Failed" if process.returncode else "Success")


def _check(document: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """What Amazon refuses: a parameter that the document does not have, and a value out of its form."""
    declared = document.get("parameters", {})
    for name, value in given.items():
        if name not in declared:
            raise refusal("InvalidParameters", f"{name} is no parameter of the document")
        form, values = declared[name].get("allowedPattern"), declared[name].get("allowedValues")
        if (form and not re.fullmatch(form, value)) or (values and value not in values):
            raise refusal("InvalidParameters", f"{name} is not of its form")
    for name, told in declared.items():
        if name not in given and "default" not in told:
            raise refusal("InvalidParameters", f"{name} is missing")


def _invocation(command: str, instance: str, document: str) -> dict[str, Any]:
    return {
        "CommandId": command,
        "InstanceId": instance,
        "DocumentName": document,
        "PluginName": "hostCall",
        "ResponseCode": -1,
        "Status": "Pending",
        "StatusDetails": "Pending",
        "StandardOutputContent": "",
        "StandardOutputUrl": "",
        "StandardErrorContent": "",
        "StandardErrorUrl": "",
    }


def _set(told: dict[str, Any], status: str, details: str = "") -> None:
    told["StatusDetails"] = details or status
    told["Status"] = status


def _end(told: dict[str, Any], output: str, errors: str, code: int) -> None:
    told["StandardOutputContent"] = output[:OUTPUT_CUT]
    told["StandardErrorContent"] = errors[:ERRORS_CUT]
    told["ResponseCode"] = code


def _kill(process: subprocess.Popen[str] | None) -> None:
    """The whole group: what a shell started is not to live on."""
    if process is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ssm", "service-2"), "ssm")


def reply(operation: str, told: dict[str, Any]) -> ActionResult:
    """An answer, held against Amazon's own model of the service: nothing is told that Amazon could not tell."""
    shape = _model().operation_model(operation).output_shape
    report = ParamValidator().validate(told, shape)
    assert not report.has_errors(), report.generate_report()
    for name, member in told.items():
        inner = shape.members[name]
        values = member if isinstance(member, dict) else {name: member}
        for key, value in values.items():
            allowed = getattr(
                (inner.members if isinstance(member, dict) else shape.members)[key], "enum", None
            )
            assert not allowed or value in allowed, f"{operation}: {key} is never {value!r}"
    return ActionResult(told)


def refusal(code: str, message: str) -> Exception:
    return JsonRESTError(code, message)


@contextmanager
def executing_ssm() -> Iterator[ExecutingSsm]:
    """Moto's Systems Manager runs commands while the block does."""
    executor = ExecutingSsm()

    def document_of(responses: Any, name: str) -> dict[str, Any]:
        found = responses.ssm_backend.get_document(name, None, None, "JSON")
        document: dict[str, Any] = json.loads(found["Content"])
        return document

    def asked_of(responses: Any) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(responses.body)
        return asked

    def send_command(responses: Any) -> Any:
        asked = asked_of(responses)
        document = document_of(responses, asked["DocumentName"])
        return reply("SendCommand", {"Command": executor.send(responses.region, document, asked)})

    def get_command_invocation(responses: Any) -> Any:
        asked = asked_of(responses)
        return reply("GetCommandInvocation", executor.told(asked["CommandId"], asked["InstanceId"]))

    def cancel_command(responses: Any) -> Any:
        executor.cancel(asked_of(responses)["CommandId"])
        return reply("CancelCommand", {})

    replaced = {
        "send_command": send_command,
        "get_command_invocation": get_command_invocation,
        "cancel_command": cancel_command,
    }
    with ExitStack() as stack:
        for name, method in replaced.items():
            # Moto has no CancelCommand.
            stack.enter_context(
                mock.patch.object(SimpleSystemManagerResponse, name, method, create=name == "cancel_command")
            )
        stack.callback(executor.join)
        yield executor
