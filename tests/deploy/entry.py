"""How a program of this machine gets onto a host of these tests: by the namespaces of the host's init (setns(2)), as root.

The container engine's own way (`docker exec`) sends what a script says through a stream of HTTP, and now and then that stream
ends before anything came, with the exit code missing or not (moby's issue 27289). Here no engine takes part: the script is a
child of ours, and what it says is in a file of ours.
"""

# What is there is the host's own, not what this machine's environment says. And umask: Debian's for who logs in.
_CLEAN = (
    "env",
    "-i",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
)
_RUN = ("sh", "-c", 'umask 022; exec "$@"', "sh")


def entry(pid: int) -> list[str]:
    """What a command's line begins with, so that it runs beside the process of that number, and sees what that sees."""
    return ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--", *_CLEAN, *_RUN]
