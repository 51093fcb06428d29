"""doctor's findings on the page: does it answer, is TLS in front of it, can it use the files that the settings name?"""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from admin_cli.doctor import page
from mailweir import secrets_file
from mailweir.health.findings import Finding
from mailweir.settings import Gmail, Settings
from mailweir.settings_openid import OpenId
from mailweir.settings_web import Web
from mailweir.traces import Traces
from tests import programs
from tests.gmail.oauth import client_file_body
from tests.ports import free_port
from tests.stopped import standing_still
from webapp.pages import integrations

URL = "https://mail.example.net"


def _settings(folder: Path, web: Web, **others: Any) -> Settings:
    return Settings(data_dir=folder, web=web, **others)


@pytest.fixture
def process(sqlite_url: Path, tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Settings]]:
    """A page that runs, and its settings."""
    port, file, log = free_port(), tmp_path / "mailweir.toml", tmp_path / "web.log"
    file.write_text(
        f'data_dir = "{tmp_path}"\ndatabase = "sqlite:{sqlite_url}"\n[web]\nport = {port}\npublic_url = "{URL}"\n'
    )
    environment = os.environ | {"MAILWEIR_CONFIG": str(file), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "from webapp.server import main; main()"]
    started = programs.start("mailweir-web", command, log, env=environment)
    programs.wait_until_ready(lambda: "serving" in log.read_text(), "mailweir-web", started, log, seconds=60)
    yield started, _settings(tmp_path, Web(port=port, public_url=URL))
    started.kill()
    started.wait()


@pytest.fixture
def another_program() -> Iterator[int]:
    """The port of a server that isn't our page."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_that_serves_answers_by_its_public_name_alone(process: tuple[Any, Settings], tmp_path: Path) -> None:
    _, settings = process
    (found,) = page.check_answer(settings)
    assert (found.level, found.key) == ("ok", "page.answers")
    assert found.sentence == f"the page answers on 127.0.0.1 port {settings.web.port}, as {URL}"
    other = _settings(tmp_path, Web(port=settings.web.port, public_url="https://other.example.net"))
    (found,) = page.check_answer(other)
    assert (found.level, found.key) == ("wrong", "page.other_name")
    assert "other.example.net" in found.sentence


def test_a_page_that_hangs_is_told(process: tuple[Any, Settings]) -> None:
    running, settings = process
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    with standing_still([running.pid, *map(int, children)]):
        (found,) = page.check_answer(settings)
    assert (found.level, found.key) == ("wrong", "page.no_answer")
    assert "timed out" in found.sentence
    assert "mailweir-web.log" in found.to_do


def test_a_page_that_is_not_there_is_told(tmp_path: Path) -> None:
    (found,) = page.check_answer(_settings(tmp_path, Web(port=free_port())))
    assert (found.level, found.key) == ("wrong", "page.no_answer")
    assert "Connection refused" in found.sentence


def test_another_program_on_its_port_is_told(another_program: int, tmp_path: Path) -> None:
    (found,) = page.check_answer(_settings(tmp_path, Web(port=another_program)))
    assert (found.level, found.key) == ("wrong", "page.odd_answer")
    assert "answers with 501, or another program has its port" in found.sentence


@pytest.mark.parametrize(
    ("run_by", "bind_address", "public_url", "told"),
    [
        ("up", "127.0.0.1", "", []),
        ("systemd", "127.0.0.1", URL, []),
        ("systemd", "::1", URL, []),
        ("systemd", "127.0.0.1", "", [("note", "page.local")]),
        ("up", "0.0.0.0", "", [("wrong", "page.without_tls")]),
        ("systemd", "::", "http://localhost:8025", [("wrong", "page.without_tls")]),
        ("systemd", "192.0.2.1", URL, [("note", "page.open")]),
    ],
)
def test_tls_stands_before_a_page_that_others_reach(
    run_by: Any, bind_address: str, public_url: str, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    settings = _settings(tmp_path, Web(bind_address=bind_address, public_url=public_url), run_by=run_by)
    found = list(page.check_settings(settings))
    assert [(one.level, one.key) for one in found] == told
    assert all(one.to_do for one in found)


def _of_secret(file: Path, run_as: str = "root") -> Finding:
    provider = OpenId(issuer="https://accounts.google.com", client_id="1", client_secret_file=str(file))
    (found,) = page.check_settings(_settings(file.parent, Web(openid={"google": provider}), run_as=run_as))
    return found


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"secret\n", 0o600, ("ok", "page.secret_fine", "the client secret of google can be read")),
        (b"secret\n", 0o640, ("wrong", "page.secret_unusable", "others can read it")),
        (b" \n", 0o600, ("wrong", "page.secret_unusable", "is empty")),
        (b"\xff\xfe", 0o600, ("wrong", "page.secret_unusable", "holds no text")),
    ],
)
def test_a_providers_secret_that_can_not_be_used_is_told(
    content: bytes, mode: int, told: tuple[str, str, str], tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(mode)
    found = _of_secret(file)
    assert (found.level, found.key) == told[:2]
    assert told[2] in found.sentence
    assert "secret\n" not in found.sentence


def test_a_secret_that_is_missing_or_somebody_elses_is_told(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    found = _of_secret(file)
    assert (found.level, found.key) == ("wrong", "page.secret_unusable")
    assert "No such file" in found.sentence
    file.write_text("secret\n")
    file.chmod(0o600)
    found = _of_secret(file, run_as="nobody")
    assert (found.level, found.key, found.to_do) == ("wrong", "page.secret_foreign", f"chown nobody {file}")


@pytest.mark.parametrize(
    ("redirect", "told"),
    [
        (URL + integrations.RETURN_PATH, []),
        ("http://localhost:8025" + integrations.RETURN_PATH, ["page.google_returns_elsewhere"]),
    ],
)
def test_googles_client_brings_browsers_back_to_this_page(redirect: str, told: list[str], tmp_path: Path) -> None:
    file = tmp_path / "google-web-client.json"
    client: Any = client_file_body("https://google.example")["installed"]
    file.write_text(json.dumps({"web": {**client, "redirect_uris": [redirect]}}))
    file.chmod(0o600)
    settings = _settings(tmp_path, Web(public_url=URL), gmail=Gmail(web_client_file=str(file)))
    assert [one.key for one in page.check_settings(settings)] == told


def test_a_key_of_the_digests_that_is_not_of_this_key_file_is_told(tmp_path: Path) -> None:
    settings = _settings(tmp_path, Web(public_url=URL), run_by="systemd", token_key_file=str(tmp_path / "token.key"))
    assert list(page.check_settings(settings)) == []
    secrets_file.make(settings.token_key_path)
    (found,) = page.check_settings(settings)
    assert (found.level, found.key) == ("wrong", "page.traces_key")
    assert found.to_do == "run the playbook again: it creates the file"
    Traces(settings.token_key_path).keep_apart()
    assert list(page.check_settings(settings)) == []


def test_where_there_is_no_page_nothing_is_looked_for(tmp_path: Path) -> None:
    assert not page.is_here(_settings(tmp_path, Web(port=0)))
    assert page.is_here(_settings(tmp_path, Web()))
