"""The server by hand: it prints values for the settings, and it accepts mail."""

import json
import subprocess
import sys
import time
from pathlib import Path

from tests import programs
from tests.gmail.conftest import Realms

REPOSITORY = Path(__file__).parents[2]
WAIT_SECONDS = 30.0


def test_it_says_what_the_settings_need_and_takes_mail_in(realms: Realms, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.gmail.serve", "--folder", str(tmp_path), "--seconds", "60"]
    log = tmp_path / "log"
    with programs.start("the server", command, log, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        try:
            lines = [programs.next_line("the server", process, log) for _ in range(3)]
            assert lines[0] == "[gmail]\n"
            endpoint = lines[1].split('"')[1]
            assert lines[2] == f'oauth_client_file = "{tmp_path}/client.json"\n'
            client = json.loads((tmp_path / "client.json").read_text())["installed"]
            assert client["token_uri"] == f"{endpoint}oauth2/token"
            file = tmp_path / "richard" / "inbox" / "1.eml"
            (tmp_path / "1.eml").write_bytes(b"From: jane@client.example\r\n\r\nhello\r\n")
            (tmp_path / "1.eml").rename(file)
            assert programs.next_line("the server", process, log).startswith("richard: inbox/1.eml is ")
            deadline = time.monotonic() + WAIT_SECONDS
            while file.exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.terminate()
