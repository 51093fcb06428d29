"""The hosts of these tests themselves: an engine that answers badly is asked again, and no script runs twice for that."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from docker.models.containers import ExecResult

from tests.deploy.conftest import MakeHost
from tests.deploy.hosts import Failed, Host

# the engine is one, whatever runs on the hosts
pytestmark = [pytest.mark.slow, pytest.mark.one_suite]

_COUNTED = "echo ran >> /var/tmp/counted; wc -l < /var/tmp/counted; exit 3"


class Faulty:
    """A host's container whose engine gives these answers first: each a function of a call that would be answered well."""

    def __init__(self, container: Any, faults: list[Any]) -> None:
        self._container = container
        self._faults = faults

    def exec_run(self, *arguments: Any, **options: Any) -> ExecResult:
        def answer() -> ExecResult:
            found: ExecResult = self._container.exec_run(*arguments, **options)
            return found

        return self._faults.pop(0)(answer) if self._faults else answer()


def _nothing_but_it_ran(answer: Any) -> ExecResult:
    answer()
    return ExecResult(None, b"")


def _nothing_with_a_code(answer: Any) -> ExecResult:
    answer()
    return ExecResult(0, b"")


def _half(answer: Any) -> ExecResult:
    found = answer()
    return ExecResult(found.exit_code, found.output[:-1])


def _it_did_not_run(answer: Any) -> ExecResult:
    return ExecResult(None, b"")


def _no_connection(answer: Any) -> ExecResult:
    answer()
    raise requests.ConnectionError("the engine hung up")


@pytest.fixture(scope="module")
def host(make_host: MakeHost) -> Host:
    return make_host("asked")


@pytest.fixture
def counted(host: Host) -> Iterator[Host]:
    """With its container's own engine again after the test."""
    host.run("rm -f /var/tmp/counted")
    container = host.container
    yield host
    host.container = container


@pytest.mark.parametrize(
    "faults",
    [
        [_nothing_but_it_ran],
        [_nothing_with_a_code],
        [_half],
        [_it_did_not_run],
        [_no_connection],
        [_it_did_not_run, _nothing_but_it_ran, _half],
    ],
    ids=lambda faults: "+".join(fault.__name__.strip("_") for fault in faults),
)
def test_a_script_whose_answer_is_missing_runs_once_and_is_heard(counted: Host, faults: list[Any]) -> None:
    counted.container = Faulty(counted.container, faults)
    assert counted.run(_COUNTED, code=3) == (3, "1\n")
    assert faults == []


def test_an_engine_that_never_answers_is_told_of(counted: Host) -> None:
    counted.container = Faulty(counted.container, [_nothing_but_it_ran] * 9)
    with pytest.raises(Failed, match="none of 4 answers"):
        counted.run(_COUNTED)


def test_output_is_what_the_script_wrote(counted: Host) -> None:
    assert counted.run("printf 'no newline'; printf ' and more' >&2; exit 7", code=7) == (7, "no newline and more")
    assert counted.says("true") == ""
    assert counted.run("id -un", user="nobody") == (0, "nobody\n")
