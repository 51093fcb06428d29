"""Ansible's connection to the hosts of these tests: each command is run through `entry`, and files go through `cat`.

Ansible finds this file by ANSIBLE_CONNECTION_PLUGINS, and reads its options in DOCUMENTATION.
"""

import shlex
import subprocess
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: namespaces
short_description: commands in the namespaces of a process of this machine
description: Commands in the namespaces of a process of this machine.
author: Mailweir
options:
  entry:
    description: The words that a command's line begins with.
    type: list
    elements: str
    required: true
    vars: [{name: ansible_entry}]
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(ConnectionBase):  # type: ignore[misc]  # Ansible has no types
    """See ConnectionBase."""

    transport = "namespaces"
    has_pipelining = True

    def _connect(self) -> "Connection":
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Runs a shell command; returns its exit code, output and errors."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        command = [*self.get_option("entry"), "sh", "-c", cmd]
        done = subprocess.run(command, input=in_data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copies a file to the host."""
        super().put_file(in_path, out_path)
        self._cat(f"cat > {shlex.quote(out_path)}", Path(in_path).read_bytes())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copies a file from the host."""
        super().fetch_file(in_path, out_path)
        Path(out_path).write_bytes(self._cat(f"cat {shlex.quote(in_path)}", b""))

    def _cat(self, command: str, content: bytes) -> bytes:
        code, output, errors = self.exec_command(command, in_data=content)
        if code != 0:
            raise AnsibleConnectionFailure(f"{command}: {errors.decode(errors='replace')}")
        return output

    def close(self) -> None:
        """There is nothing to close."""
        self._connected = False
