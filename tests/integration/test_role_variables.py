"""The role checks its variables before it changes a host: refusals, the settings, and where the page runs."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailweir.settings import Settings

ROLE = Path(__file__).parents[2] / "ansible" / "roles" / "mailweir"
FRONT, BESIDE = "mail1.example.net", "page1.example.net"
GOOGLE = {
    "name": "google",
    "issuer": "https://accounts.google.com",
    "client_id": "1234",
    "client_secret": "not to be seen",
    "label": 'With "Google", ü',
    "hosted_domain": "firm.example",
}
Made = dict[str, dict[str, Any]]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    """made(groups, variable=value): for each host the refusal, whether the page is wanted, and its settings."""

    def run(groups: dict[str, list[str]], **variables: Any) -> Made:
        found = {
            "faults": "{{ mailweir_faults }}",
            "page": "{{ mailweir_is_web_wanted | bool }}",
            "toml": "{{ lookup('template', role ~ '/templates/mailweir.toml.j2') if mailweir_faults == [] else '' }}",
        }
        play = {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")],
            "vars": {"role": str(ROLE), "found": found},
            "tasks": [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ found | to_json }}",
                        "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}",
                    }
                }
            ],
        }
        children = {
            group: {"hosts": {name: {"mailweir_hostname": name} for name in names}} for group, names in groups.items()
        }
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": children}}))
        chosen = {"mailweir_admin_mailbox": "admin@firm.example", "ansible_python_interpreter": sys.executable}
        script = str(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [script, "-i", tmp_path / "hosts.yml", tmp_path / "play.yml", "-e", json.dumps(chosen | variables)],
            env=os.environ | {"ANSIBLE_HOME": str(tmp_path / "ansible"), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {name: json.loads((tmp_path / name).read_text()) for names in groups.values() for name in names}

    return run


def test_the_page_has_its_settings_and_its_secrets_stay_out_of_them(made: Callable[..., Made]) -> None:
    host = made(
        {"front_ends": [FRONT]},
        mailweir_web_openid=[GOOGLE],
        mailweir_gmail_web_client_file="web.json",
        mailweir_web_processes=2,
    )[FRONT]
    assert host["faults"] == []
    assert "not to be seen" not in host["toml"]
    settings = Settings(**tomllib.loads(host["toml"]))
    assert (settings.web.public_url, settings.web.port, settings.web.processes) == (f"https://{FRONT}", 8025, 2)
    assert settings.gmail.web_client_file == "/etc/mailweir/google-web-client.json"
    provider = settings.web.openid["google"]
    assert provider.client_secret_file == "/etc/mailweir/openid-google.secret"
    assert (provider.label, provider.hosted_domain) == (GOOGLE["label"], "firm.example")


@pytest.mark.parametrize(
    ("groups", "port", "where"),
    [
        ({"front_ends": [FRONT], "sync_hosts": [BESIDE]}, 8025, {FRONT: True, BESIDE: False}),
        ({"front_ends": [FRONT], "web_hosts": [BESIDE]}, 8025, {FRONT: False, BESIDE: True}),
        ({"front_ends": [FRONT], "web_hosts": []}, 8025, {FRONT: False}),
        ({"front_ends": [FRONT]}, 0, {FRONT: False}),
    ],
)
def test_the_page_runs_on_front_ends_or_on_hosts_of_its_own(
    groups: dict[str, list[str]], port: int, where: dict[str, bool], made: Callable[..., Made]
) -> None:
    database = "postgresql://mailweir@db.example.net/mailweir"
    found = made(groups, mailweir_web_port=port, mailweir_database=database)
    assert {name: one["page"] for name, one in found.items()} == where
    assert [one["faults"] for one in found.values()] == [[]] * len(found)


def test_what_can_not_be_is_refused_in_a_line_each(made: Callable[..., Made]) -> None:
    odd = {**GOOGLE, "name": "../google", "client_secret": "change me"}
    faults = made(
        {"front_ends": [FRONT]},
        mailweir_web_openid=[odd, odd],
        mailweir_web_port=587,
        mailweir_web_processes=0,
        mailweir_web_public_url="https://mail.example.net/page",
        mailweir_settings={"web": {"public_url": "https://x.example", "openid": {}, "threads": 4}},
    )[FRONT]["faults"]
    assert faults == [
        "mailweir_web_port must be from 0 (no page) to 65535, and none of Postfix's ports",
        "mailweir_web_processes must be from 1 to 32",
        "mailweir_web_public_url 'https://mail.example.net/page' must be https://HOST, with nothing behind it;"
        " http:// is for localhost and 127.0.0.1",
        "mailweir_web_openid: ../google can't be a provider's name; it takes a-z, 0-9 and -, up to 32 characters",
        "mailweir_web_openid: two have the same name",
        "mailweir_web_openid: ../google has no client_secret",
        "mailweir_settings must not hold web.public_url, web.openid: variables of their own are for these",
    ]


def test_a_page_for_who_comes_by_ssh_needs_no_address(made: Callable[..., Made]) -> None:
    host = made({"front_ends": [FRONT]}, mailweir_web_public_url="")[FRONT]
    assert host["faults"] == []
    assert Settings(**tomllib.loads(host["toml"])).web.url == "http://localhost:8025"
