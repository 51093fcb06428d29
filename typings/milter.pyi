"""Types of pymilter's C module, as far as it is used."""

from collections.abc import Callable

class error(Exception): ...

CONTINUE: int
ACCEPT: int
DISCARD: int
SKIP: int
TEMPFAIL: int
REJECT: int
NOREPLY: int
ADDHDRS: int
ADDRCPT: int
DELRCPT: int
CHGFROM: int
SETSYMLIST: int
P_NOHELO: int
P_NODATA: int
P_NOUNKNOWN: int
P_NOEOH: int
P_NR_CONN: int
P_NR_MAIL: int
P_NR_RCPT: int
P_NR_HDR: int
P_NR_BODY: int
P_HDR_LEADSPC: int
M_CONNECT: int
M_HELO: int
M_ENVFROM: int
M_ENVRCPT: int
M_DATA: int
M_EOH: int
M_EOM: int

def set_flags(flags: int, /) -> None: ...
def setconn(name: str, /) -> None: ...
def setbacklog(length: int, /) -> None: ...
def settimeout(seconds: int, /) -> None: ...
def opensocket(remove: bool, /) -> None: ...
def main() -> None: ...
def register(
    name: str,
    /,
    *,
    data: Callable[..., int] | None = ...,
    unknown: Callable[..., int] | None = ...,
    negotiate: Callable[..., int] | None = ...,
) -> None: ...
def set_connect_callback(callback: Callable[..., int], /) -> None: ...
def set_envfrom_callback(callback: Callable[..., int], /) -> None: ...
def set_envrcpt_callback(callback: Callable[..., int], /) -> None: ...
def set_header_callback(callback: Callable[..., int], /) -> None: ...
def set_eoh_callback(callback: Callable[..., int], /) -> None: ...
def set_body_callback(callback: Callable[..., int], /) -> None: ...
def set_eom_callback(callback: Callable[..., int], /) -> None: ...
def set_abort_callback(callback: Callable[..., int], /) -> None: ...
def set_close_callback(callback: Callable[..., int], /) -> None: ...
