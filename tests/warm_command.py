"""`mailweir …` without its start-up, for tests with a real stack: a process has imported all commands, and forks for each one.

A start takes a third of a second, nearly all of it for imports, and a run of the tests needs hundreds of them. The fork has the
console script's arguments, environment, streams and exit code. Tests of the script itself start the script. Called by
`integration/conftest`. It is a separate program, too, so that nothing else is in the process that forks.
"""

import contextlib
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

MAX_REQUEST_BYTES = 1_000_000
_READY = b"ready"


class WarmCommand:
    """The waiting process. The caller closes it; it also ends when its caller does."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # -P: a file of the tests must not shadow a library of the same name
            command = [sys.executable, "-P", __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)
        assert self._ours.recv(len(_READY)) == _READY, "see its traceback above"

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command; returns its result. subprocess.TimeoutExpired if it isn't done within this many seconds: then it is
        killed."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            command, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with command:
                about = {"arguments": list(arguments), "environment": dict(environment), "cwd": str(Path.cwd())}
                with theirs:
                    fds = [theirs.fileno(), out.fileno(), err.fileno()]
                    socket.send_fds(self._ours, [json.dumps(about).encode()], fds)
                code = _exit_code(command, ["mailweir", *arguments], seconds)
            return subprocess.CompletedProcess(list(arguments), code, _text(out), _text(err))

    def close(self) -> None:
        """Ends it."""
        self._ours.shutdown(socket.SHUT_RDWR)  # a fork of ours may hold it, too
        self._ours.close()
        self._process.wait()


def _exit_code(command: socket.socket, name: list[str], seconds: float) -> int:
    pid = int(command.recv(32))
    command.settimeout(seconds)
    try:
        return int(command.recv(32))
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)
        raise subprocess.TimeoutExpired(name, seconds) from None


def _text(file: IO[bytes]) -> str:
    """The output as `subprocess` gives it with `text`: each line's end is one character."""
    file.seek(0)
    return io.TextIOWrapper(file, "utf-8").read()


# --- the waiting process ---------------------------------------------------------------------------------------------


def main(number: int) -> int:
    """Forks for each request on this socket, until its other end is closed. In the fork, returns the command's exit code."""
    from admin_cli import main as command_line

    for lazy in command_line.Commands.lazy:
        importlib.import_module(lazy.module)
    with socket.socket(fileno=number) as requests:
        requests.set_inheritable(False)
        requests.send(_READY)
        while True:
            text, fds, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, 3)
            if not text:
                return 0
            # each command has a fork that waits for it, so that commands run side by side
            waiting = os.fork()
            if waiting == 0:
                return _watch(json.loads(text), *fds)
            for fd in fds:
                os.close(fd)
            _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _watch(request: dict[str, Any], answer: int, out: int, err: int) -> int:
    """Runs in a fork: runs the command in a second fork, and sends its process id, then its exit code. In the second fork,
    returns the exit code."""
    from admin_cli import main as command_line

    command = os.fork()
    if command:
        with socket.socket(fileno=answer) as told, contextlib.suppress(BrokenPipeError):  # nobody waits any more
            told.send(b"%d" % command)
            told.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]))
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for fd in (answer, out, err):
        os.close(fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["mailweir", *request["arguments"]]
    return command_line.run()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
