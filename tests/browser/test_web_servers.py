"""The documentation's examples of nginx and Caddy in front of a separate `mailweir-web`, as a browser sees them."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailweir.store.database import versions
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments, users
from mailweir.store.web import enrolment, links
from tests.needs import lacks
from tests.ports import free_port

NAME = "mail.example.net"
EXAMPLES = Path(__file__).parents[2] / "docs" / "admin" / "web-servers"
SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """The answer to a request over TLS."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Front:
    """A web server that listens on a port, with a certificate that it made itself."""

    port: int
    certificate: Path
    link: str

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """A request for the page's name, without DNS."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        connection.sock = context.wrap_socket(plain, server_hostname=NAME)
        with closing(connection):
            connection.request(method, path, body, {"Host": NAME, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())


def nginx(folder: Path, port: int, page_port: int, certificate: Path) -> list[str]:
    """nginx with the example as its only site; returns the command that runs it."""
    text = (EXAMPLES / "nginx.conf").read_text()
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;").replace("    listen [::]:443 ssl;\n", "")
    text = text.replace("127.0.0.1:8025", f"127.0.0.1:{page_port}")
    text = re.sub(r"/etc/ssl/(certs|private)/mail\.example\.net\.(pem|key)", str(certificate), text)
    main = (
        f"daemon off; pid {folder}/nginx.pid; error_log stderr; user root;\nevents {{}}\nhttp {{\n"
        f"client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;"
        f" uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{text}\n}}\n"
    )
    (folder / "nginx.conf").write_text(main)
    return ["nginx", "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, page_port: int, certificate: Path) -> list[str]:
    """Caddy with the example; returns the command that runs it."""
    text = (EXAMPLES / "Caddyfile").read_text()
    text = text.replace("mail.example.net {", f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {certificate}")
    text = text.replace("127.0.0.1:8025", f"127.0.0.1:{page_port}")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{text}")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """Runs the program. The block begins when it listens."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} doesn't listen"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def _listens(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
            connection.connect()
    except OSError:
        return False
    return True


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    """The page behind that server, and a link that signs richard in."""
    make: Callable[[Path, int, int, Path], list[str]] = request.param
    program = make.__name__
    if shutil.which(program) is None:
        refuse = lacks if os.environ.get("MAILWEIR_TEST_BROWSER") else pytest.skip
        refuse(f"needs {program}: `make test-browser` installs it")
    certificate, port, page_port = tmp_path / "both.pem", free_port(), free_port()
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2"]
    key = [
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(certificate),
        "-out",
        str(tmp_path / "certificate.pem"),
    ]
    subprocess.run(["openssl", "req", *key, *subject], check=True, capture_output=True)
    with certificate.open("a") as both:
        both.write((tmp_path / "certificate.pem").read_text())
    config = tmp_path / "mailweir.toml"
    config.write_text(f'data_dir = "{tmp_path}"\n[web]\nport = {page_port}\npublic_url = "https://{NAME}"\n')
    versions.upgrade(tmp_path / "db" / "mailweir.db")
    with closing(Database(tmp_path / "db" / "mailweir.db")) as database:
        now = datetime.now(UTC)
        demo = deployments.add(database, "demo", "demo.example.net", now)
        users.add(database, demo, "richard", "richard@firm.example", "", now)
        account = enrolment.user(database, demo, "richard", now, is_admin=False)
        token = links.make(database, account.id, demo.id, now)
    script = str(Path(sys.executable).with_name("mailweir-web"))
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    with (
        running([script], page_port, {"MAILWEIR_CONFIG": str(config)}),
        running(make(tmp_path, port, page_port, certificate), port, home),
    ):
        yield Front(port, tmp_path / "certificate.pem", f"/sign-in/link/{token}")


def test_somebody_signs_in_through_it(front: Front) -> None:
    assert front.ask("GET", front.link).status == 200
    own = {"Origin": f"https://{NAME}", "Content-Type": "application/x-www-form-urlencoded"}
    spent = front.ask("POST", front.link, headers=own)
    assert spent.status == 303
    cookie = spent.headers["Set-Cookie"]
    assert {"Secure", "HttpOnly"} <= {part.strip() for part in cookie.split(";")}
    signed_in = front.ask("GET", "/sign-in", headers={"Cookie": cookie.partition(";")[0]})
    assert signed_in.status == 303


def test_what_the_page_says_to_browsers_comes_through_whole(front: Front) -> None:
    headers = front.ask("GET", "/sign-in").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["Cache-Control"] == "no-store"


def test_a_form_of_another_site_is_refused(front: Front) -> None:
    foreign = {"Origin": "https://evil.example", "X-Forwarded-Host": NAME}
    assert front.ask("POST", front.link, headers=foreign).status == 403


@pytest.mark.parametrize("front", [nginx], ids=["nginx"], indirect=True)
def test_what_is_too_large_is_refused_before_any_of_it_is_sent(front: Front) -> None:
    """Caddy begins to read and refuses later, so a client may get an error before it gets the answer."""
    large = {"Origin": f"https://{NAME}", "Content-Length": "25000000"}
    assert front.ask("POST", "/sign-out", b"", large).status == 413
