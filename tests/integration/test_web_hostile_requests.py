"""Requests that no browser sends to a real `mailweir-web`: it answers or hangs up, and none is a fault of ours."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.live_page import HOST, LivePage, live_site
from tests.page import URL

_OWN = f"Host: {HOST}\r\nOrigin: {URL}\r\nSec-Fetch-Site: same-origin\r\n"
_FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
_MULTIPART = "Content-Type: multipart/form-data; boundary=b\r\n"
_HUNG_UP = 0


def _get(target: str, more: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\n{_OWN}{more}Connection: close\r\n\r\n".encode("latin-1")


def _post(body: bytes, kind: str, more: str = "") -> bytes:
    head = (
        f"POST /sign-in/password HTTP/1.1\r\n{_OWN}{kind}{more}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _parts(count: int) -> bytes:
    one = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n'
    return one * count + b"--b--\r\n"


REQUESTS: dict[str, tuple[bytes, set[int]]] = {
    "a header without an end": (_get("/sign-in", f"X-Long: {'x' * 300_000}\r\n"), {_HUNG_UP, 431}),
    "many headers": (_get("/sign-in", "".join(f"X-{n}: x\r\n" for n in range(5_000))), {200, 431}),
    "many cookies": (_get("/sign-in", f"Cookie: {'; '.join(f'c{n}=x' for n in range(5_000))}\r\n"), {200}),
    "a hostile cookie": (_get("/sign-in", 'Cookie: __Host-mailweir="\\000\\377;\xff\x01; =; ;;\r\n'), {200, 400}),
    "languages": (_get("/sign-in", f"Accept-Language: {','.join(f'x-{n};q=9.9.9' for n in range(5_000))}\r\n"), {200}),
    "a language that is none": (_get("/sign-in", "Accept-Language: \xff\x01;q=nan,*;q=1e999\r\n"), {200, 400}),
    "a long target": (_get(f"/sign-in?{'a=b&' * 20_000}"), {200, 303, 400, 414, 431}),
    "many fields in a query": (_get(f"/sign-in?{'&'.join(f'f{n}=x' for n in range(5_000))}"), {200}),
    "bad percents in a query": (_get("/sign-in?to=%&%zz=%zz&%=%ff%fe&to=%00&=&&;"), {200}),
    "bad percents in a path": (_get("/sign-in/%/%zz/%ff%fe/%00"), {404}),
    "a NUL in a path": (_get("/sign-in/link/%00"), {404, 410}),
    "surrogates in a path": (_get("/sign-in/link/%ED%A0%80"), {404, 410}),
    "dots in a path": (_get("/static/../../../../etc/passwd"), {404}),
    "bytes in a path": (_get("/sign-in/\xff\xfe"), {400, 404}),
    "another host's URL": (_get("http://evil.example/sign-in"), {200, 400, 404}),
    "a target without a slash": (_get("sign-in"), {200, 400, 404}),
    "no host": (b"GET /sign-in HTTP/1.1\r\nConnection: close\r\n\r\n", {400}),
    "two hosts": (_get("/sign-in", "Host: evil.example\r\n"), {400}),
    "an odd host": (_get("/sign-in").replace(HOST.encode(), b"[::1%25]:99999999"), {400}),
    "an odd method": (_get("/sign-in").replace(b"GET", b"PR\xc3\xb6PFIND"), {400, 405}),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n", {_HUNG_UP, 400}),
    "a length below zero": (_get("/sign-in", "Content-Length: -1\r\n"), {400}),
    "a length that is none": (_get("/sign-in", "Content-Length: ٣\r\n".encode().decode("latin-1")), {400}),
    "a length of 30 digits": (_post(b"", _FORM, f"Content-Length: {'9' * 30}\r\n"), {_HUNG_UP, 400, 413}),
    "a length and chunks": (_post(b"0\r\n\r\n", _FORM, "Transfer-Encoding: chunked\r\n"), {400, 403, 429}),
    "bad chunks": (_get("/sign-in", "Transfer-Encoding: chunked\r\n") + b"zz\r\n", {400}),
    "an unknown encoding": (_get("/sign-in", "Transfer-Encoding: gzip\r\n"), {501, 400}),
    "many fields in a form": (_post(b"&".join(b"f%d=x" % n for n in range(60_000)), _FORM), {403, 413, 429}),
    "a large form": (_post(b"name=" + b"x" * 2_000_000, _FORM), {413}),
    "bytes in a form": (_post(b"name=%ED%A0%80%00\xff&password=\x00%zz", _FORM), {403, 429}),
    "many parts": (_post(_parts(5_000), _MULTIPART), {413}),
    "a part without an end": (_post(b"--b\r\nContent-Disposition: form-data; name=", _MULTIPART), {400, 403, 429}),
    "a part with a long head": (_post(b"--b\r\nX: " + b"x" * 400_000 + b"\r\n\r\n", _MULTIPART), {400, 403, 413, 429}),
    "a part with an odd encoding": (
        _post(
            b'--b\r\nContent-Disposition: form-data; name="name"\r\nContent-Type: text/plain; charset=\xff\r\n\r\nx\r\n--b--',
            _MULTIPART,
        ),
        {400, 403, 429},
    ),
    "no boundary": (_post(_parts(1), "Content-Type: multipart/form-data\r\n"), {400, 403, 429}),
    "a kind that is none": (_post(b"x", "Content-Type: \xff/;;;=\r\n".encode().decode("latin-1")), {400, 403, 429}),
    "pieces of a range": (_get("/sign-in", f"Range: bytes={','.join('0-0' for _ in range(3_000))}\r\n"), {200}),
    "an odd date": (_get("/sign-in", "If-Modified-Since: Xyz, 99 Foo 9999999 99:99:99\r\n"), {200}),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[LivePage]:
    """One process for all tests here."""
    folder = tmp_path_factory.mktemp("hostile")
    file = folder / "mailweir.db"
    file.write_bytes(_sqlite_template.read_bytes())
    with live_site(file, folder) as site:
        yield site.start()


def _status(port: int, request: bytes) -> int:
    """The status of the answer; 0 if the server hangs up without an answer."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as client:
        try:
            client.sendall(request)
            first = client.makefile("rb").readline()
        except ConnectionError:
            return _HUNG_UP
    return int(first.split()[1]) if first else _HUNG_UP


@pytest.mark.parametrize("name", REQUESTS)
def test_what_no_browser_sends_is_no_fault_of_ours(served: LivePage, name: str) -> None:
    request, allowed = REQUESTS[name]
    assert _status(served.port, request) in allowed
    assert served.ask("GET", "/sign-in").status == 200
    assert served.said('"request failed"') == 0
    assert "Traceback" not in served.log.read_text()


def test_a_form_that_would_fill_the_memory_is_refused_before_it_is_read(served: LivePage) -> None:
    (child,) = served.children()
    before = _most_kib(child)
    assert _status(served.port, _post(b"a&" * 9_000_000, _FORM)) == 413
    assert _most_kib(child) - before < 100_000


def _most_kib(pid: int) -> int:
    """The peak memory of the process."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])
