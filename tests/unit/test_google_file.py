"""The role's check of Google's file reports the same as the sync does, before the file reaches a host."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailweir.errors import SettingsError
from mailweir.gmail import oauth_files
from tests.gmail.oauth import client_file_body

SCRIPT = Path(__file__).parents[2] / "ansible/roles/mailweir/files/google_file.py"
CLIENT: Any = client_file_body("https://google.example")["installed"]
ACCOUNT = {
    "type": "service_account",
    "client_email": "robot@project.example",
    "client_id": "1",
    "token_uri": "https://google.example/token",
    "private_key": rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
}


LOAD: dict[str, Callable[[Path], object]] = {
    "oauth_client": oauth_files.load_client,
    "service_account": oauth_files.load_account,
    "web_client": oauth_files.load_web_client,
}


def _written(folder: Path, content: str) -> Path:
    file = folder / "file.json"
    file.write_text(content)
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("oauth_client", {"installed": CLIENT}),
        ("oauth_client", {"web": CLIENT}),
        ("service_account", ACCOUNT),
        ("web_client", {"web": CLIENT}),
    ],
)
def test_it_takes_what_the_sync_takes(kind: str, content: object, tmp_path: Path) -> None:
    file = _written(tmp_path, json.dumps(content))
    assert LOAD[kind](file)
    done = subprocess.run([sys.executable, SCRIPT, kind, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        *(("oauth_client", {"installed": {**CLIENT, key: ""}}) for key in ("client_id", "client_secret", "token_uri")),
        ("oauth_client", {"installed": {key: value for key, value in CLIENT.items() if key != "auth_uri"}}),
        ("oauth_client", {"other": CLIENT}),
        ("oauth_client", ACCOUNT),
        ("oauth_client", []),
        *(("service_account", {**ACCOUNT, key: 1}) for key in ("type", "client_email", "private_key", "token_uri")),
        ("service_account", {"installed": CLIENT}),
        ("service_account", "a letter"),
        *(("web_client", {"web": {**CLIENT, key: ""}}) for key in ("client_id", "client_secret", "auth_uri")),
        ("web_client", {"installed": CLIENT}),
        ("web_client", {"web": [CLIENT]}),
    ],
)
def test_it_refuses_what_the_sync_refuses(kind: str, content: object, tmp_path: Path) -> None:
    file = _written(tmp_path, json.dumps(content).strip('"'))
    with pytest.raises(SettingsError):
        LOAD[kind](file)
    done = subprocess.run([sys.executable, SCRIPT, kind, file], capture_output=True, text=True, check=False)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert done.stderr.startswith(str(file))
    assert done.stderr.count("\n") == 1
    assert CLIENT["client_secret"] not in done.stderr


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "oauth_client", tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"{tmp_path} can't be read: Is a directory\n")
