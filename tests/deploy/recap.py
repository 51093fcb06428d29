"""The result of ansible-playbook: exit code, the changes per host, and the reason of a failure."""

import re
from dataclasses import dataclass

_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_CHANGED = re.compile(r"^TASK \[(.*?)\] \**$|^RUNNING HANDLER \[(.*?)\] \**$|^changed: \[(.*?)\]", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """One run. changed: how many tasks changed something, by host; tasks: which."""

    code: int
    output: str
    changed: dict[str, int]
    tasks: list[str]

    @property
    def failure(self) -> str:
        """The text of its failure."""
        return "\n".join(
            line
            for line in self.output.splitlines()
            if line.startswith(("fatal:", "ERROR", "failed:")) or '"msg"' in line
        )


def read(code: int, output: str) -> Ran:
    """Parses ansible-playbook's exit code and output."""
    return Ran(code, output, {row[0]: int(row[2]) for row in _RECAP.findall(output)}, _changed(output))


def _changed(output: str) -> list[str]:
    task, found = "", []
    for name, handler, host in _CHANGED.findall(output):
        if host:
            found.append(task)
        else:
            task = name or handler
    return list(dict.fromkeys(found))
