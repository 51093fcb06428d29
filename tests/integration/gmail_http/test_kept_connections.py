"""Kept connections that a firewall forgot, addresses that can't be reached, and certificates of an admin's own."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailweir.gmail import dialing
from mailweir.gmail.errors import Unreachable
from mailweir.gmail.transport import Connections
from tests import scripted_http

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORM = {"content-type": "application/x-www-form-urlencoded"}
Trouble = Callable[[socket.socket], None]


def silent(connection: socket.socket) -> None:
    """The effect of a firewall that drops connections silently."""
    time.sleep(3.0)


def reset(connection: socket.socket) -> None:
    """The effect of a firewall that resets connections."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half(connection: socket.socket) -> None:
    """The beginning of an answer."""
    connection.sendall(ANSWER[:9])
    time.sleep(3.0)


class Site:
    """A server that answers the first request on each connection, and does `trouble` to the others. asked: the number of requests
    on each connection."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.asked: list[int] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.asked.append(0)
                threading.Thread(target=self._one, args=(connection, len(self.asked) - 1), daemon=True).start()

    def _one(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection:
            while piece := connection.recv(65_536):
                if not piece.startswith((b"GET ", b"POST ")):
                    continue  # the body comes separately
                self.asked[number] += 1
                if self.asked[number] > 1:
                    return self.trouble(connection)
                connection.sendall(ANSWER)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def site() -> Iterator[Callable[[Trouble], Site]]:
    made: list[Site] = []

    def make(trouble: Trouble) -> Site:
        made.append(Site(trouble))
        return made[-1]

    yield make
    for one in made:
        one.close()


def used(url: str, max_idle_seconds: float = 60.0) -> Connections:
    """Several connections, one of which is kept."""
    http = Connections(0.4, max_idle_seconds)
    assert http(url).data == b"ok"
    return http


@pytest.mark.parametrize("trouble", [silent, reset])
def test_a_dead_kept_connection_is_no_failure(site: Callable[[Trouble], Site], trouble: Trouble) -> None:
    made = site(trouble)
    http = used(made.url)
    assert http(made.url).data == b"ok"
    assert made.asked == [2, 1]
    assert http(made.url, "POST", b"grant_type=refresh_token", FORM, may_repeat=True).data == b"ok"
    assert made.asked == [2, 2, 1]


def test_once_and_no_more(site: Callable[[Trouble], Site]) -> None:
    made = site(silent)
    http = used(made.url)
    http(made.url)  # on a second connection
    made.trouble = half
    for _ in range(2):
        with pytest.raises(Unreachable):
            http(made.url)
        http.close()
        http(made.url)
    # a new request is sent only once
    assert made.asked.count(2) == 3


@pytest.mark.parametrize(
    ("trouble", "method", "body"), [(half, "GET", None), (silent, "POST", b"code=x"), (reset, "POST", b"code=x")]
)
def test_what_began_or_counts_once_is_not_repeated(
    site: Callable[[Trouble], Site], trouble: Trouble, method: str, body: bytes | None
) -> None:
    made = site(trouble)
    http = used(made.url)
    with pytest.raises(Unreachable):
        http(made.url, method, body)
    assert made.asked == [2]


def test_a_connection_that_idled_for_long_is_not_used_again(site: Callable[[Trouble], Site]) -> None:
    made = site(silent)
    http = used(made.url, max_idle_seconds=0.05)
    time.sleep(0.1)
    began = time.monotonic()
    assert http(made.url).data == b"ok"
    assert made.asked == [1, 1]
    assert time.monotonic() - began < 0.4, "no request waited for the dead connection"


def test_each_connection_idles_by_itself(site: Callable[[Trouble], Site]) -> None:
    """Tokens are requested once an hour, but the API all the time."""
    made, busy = site(silent), scripted_http.running()
    http = used(made.url, max_idle_seconds=0.3)
    with busy as other:
        for _ in range(5):
            assert http(f"{other.url}/").status == 200
            time.sleep(0.1)
    began = time.monotonic()
    assert http(made.url).data == b"ok"
    assert made.asked == [1, 1]
    assert time.monotonic() - began < 0.3, "no request waited for the dead connection"


# --- addresses --------------------------------------------------------------------------------------------------------


def test_a_family_that_fails_is_tried_last_for_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a single time-out, not one for each connection. Once that family works again, the order is the original one."""
    now = 0.0
    families = dialing.Families(lambda: now)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        port, dead = server.getsockname()[1], closed.getsockname()[1]
        closed.close()
        tried: list[int] = []
        connect = socket.socket.connect

        def noting(self: socket.socket, address: tuple[str, int]) -> None:
            tried.append(address[1])
            connect(self, ("127.0.0.1", address[1]))

        monkeypatch.setattr(socket.socket, "connect", noting)
        six, four = (
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", dead, 0, 0)),
            (
                *(socket.AF_INET, socket.SOCK_STREAM, 6, ""),
                ("127.0.0.1", port),
            ),
        )
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [six, four])
        monkeypatch.setattr(socket, "socket", _ipv4_alone(socket.socket))
        for _ in range(3):
            dialing.dial("host.example", 443, 1.0, families).close()
        assert tried == [dead, port, port, port]
        now = 601.0
        dialing.dial("host.example", 443, 1.0, families).close()
        assert tried[4:] == [dead, port]


def _ipv4_alone(kind: type[socket.socket]) -> Callable[..., socket.socket]:
    """This machine may have no IPv6."""
    return lambda family, *rest: kind(socket.AF_INET, *rest)


def test_where_nothing_can_be_reached_the_last_error_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        dialing.dial("127.0.0.1", port, 1.0, dialing.Families())


# --- certificates -----------------------------------------------------------------------------------------------------


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, as of a proxy that inspects TLS; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inspection")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "ca.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


def test_an_admins_own_certificate_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with (
                        contextlib.suppress(ssl.SSLError),
                        context.wrap_socket(listener.accept()[0], server_side=True) as one,
                    ):
                        one.recv(65_536)
                        one.sendall(ANSWER)

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://localhost:{listener.getsockname()[1]}/"
        dialing.trust.cache_clear()
        try:
            with pytest.raises(Unreachable, match="certificate verify failed"):
                Connections(2.0)(url)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            dialing.trust.cache_clear()
            assert Connections(2.0)(url).data == b"ok"
            # the name has to be right, too
            with pytest.raises(Unreachable, match="certificate verify failed"):
                Connections(2.0)(url.replace("localhost", "127.0.0.1"))
        finally:
            dialing.trust.cache_clear()
            listener.shutdown(socket.SHUT_RDWR)


def test_without_certificates_of_the_system_those_of_the_library_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    dialing.trust.cache_clear()
    try:
        assert dialing.trust().cert_store_stats()["x509_ca"] > 50
    finally:
        dialing.trust.cache_clear()
