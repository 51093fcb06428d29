"""Runs a program of this machine on a host of these tests: in the namespaces of the host's init (setns(2)), as root.

The container engine's own way (`docker exec`) sends a script's output through an HTTP stream. Occasionally that stream ends
before any data came, with or without the exit code (moby's issue 27289). Here no engine is involved: the script is our child, and
its output is in a file of ours.
"""

# The environment is the host's own, not this machine's. The umask is Debian's for logins.
_CLEAN = (
    "env",
    "-i",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
)
_RUN = ("sh", "-c", 'umask 022; exec "$@"', "sh")


def entry(pid: int) -> list[str]:
    """The prefix that runs a command in the namespaces of the process with that number."""
    return ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--", *_CLEAN, *_RUN]
