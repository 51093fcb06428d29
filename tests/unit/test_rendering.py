"""Postfix's configuration from the settings. integration/test_private_postfix.py checks that Postfix accepts it."""

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from capture_milter import relay
from mailweir.errors import SettingsError
from mailweir.settings import Settings
from postfix import rendering


def render(**settings: Any) -> rendering.Configuration:
    """Both files for these settings."""
    values = {
        "data_dir": "/srv/mailweir",
        "hostname": "mx.host.example",
        "admin_mailbox": "admin@host.example",
        **settings,
    }
    return rendering.render(Settings(**values), run_as_uid=998, run_as_gid=997)


def parameters(main_cf: str) -> dict[str, str]:
    """main.cf as a dictionary."""
    lines = [line for line in main_cf.splitlines() if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def services(master_cf: str) -> dict[str, str]:
    """master.cf as a dictionary of whole entries."""
    text = re.sub(r"^#.*\n|^\n", "", master_cf, flags=re.MULTILINE)
    return {entry.split()[0]: " ".join(entry.split()) for entry in re.split(r"\n(?! )", text) if entry}


def test_every_setting_is_given_once() -> None:
    names = re.findall(r"^(\w+) *=", render().main_cf, re.MULTILINE)
    assert len(names) == len(set(names))


def test_every_paragraph_of_main_cf_says_why() -> None:
    for outbound in ("outbox", "mx", "relayhost mail.elsewhere.example:587"):
        for paragraph in render(outbound=outbound).main_cf.split("\n\n"):
            first = paragraph.strip().splitlines()[:1]
            assert not first or first[0].startswith("#"), paragraph


def test_smtpd_and_cleanup_resolve_by_no_changing_table() -> None:
    """They cache their results, so a capture domain that is added later would stay refused."""
    configuration = render()
    assert "transport_maps" not in parameters(configuration.main_cf)
    entries = services(configuration.master_cf)
    assert [name for name, entry in entries.items() if "transport_maps" in entry] == ["rewrite-queue"]
    assert [name for name, entry in entries.items() if "rewrite_service_name=rewrite-queue" in entry] == ["qmgr"]
    for name in ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains"):
        assert parameters(configuration.main_cf)[name] == ""


def test_nothing_runs_chrooted_and_nothing_else_listens() -> None:
    entries = services(render().master_cf)
    assert {entry.split()[4] for entry in entries.values()} == {"n"}
    assert [name for name, entry in entries.items() if entry.split()[1] == "inet"] == [
        "127.0.0.1:2525",
        "127.0.0.1:2587",
        "127.0.0.1:2465",
    ]


def test_law_10_auth_is_offered_within_tls_on_the_relays_ports_alone() -> None:
    configuration = render()
    assert parameters(configuration.main_cf)["smtpd_sasl_auth_enable"] == "no"
    entries = services(configuration.master_cf)
    relays = {name: entry for name, entry in entries.items() if "smtpd_sasl_auth_enable=yes" in entry}
    assert set(relays) == {"127.0.0.1:2587", "127.0.0.1:2465"}
    for entry in relays.values():
        assert ("smtpd_tls_security_level=encrypt" in entry) != ("smtpd_tls_wrappermode=yes" in entry)
        for option in (
            "smtpd_tls_auth_only=yes",
            "smtpd_client_restrictions=permit_sasl_authenticated,reject",
            "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
            "reject_sender_login_mismatch",
            "{ smtpd_data_restrictions = reject_unauth_pipelining, permit_sasl_authenticated, reject }",
            f"milter_macro_daemon_name={relay.DAEMON_NAME} ",
        ):
            assert option in entry


def test_a_normal_chain_of_forwards_is_no_loop() -> None:
    """RFC 5321 6.3: a limit of at least 100."""
    assert int(parameters(render().main_cf)["hopcount_limit"]) >= 100


def test_every_recipient_that_is_taken_is_noted_with_the_sender() -> None:
    """If a message then comes to nothing, the log has neither; see postfix/broken_off.py."""
    configuration = render()
    note = "check_recipient_access static:{INFO envelope}"
    assert parameters(configuration.main_cf)["smtpd_recipient_restrictions"] == note
    own = [entry for entry in services(configuration.master_cf).values() if "smtpd_recipient_restrictions =" in entry]
    assert len(own) == 2
    assert all(entry.endswith(f", {note} }}") for entry in own)


def test_the_filter_is_asked_about_every_notice_to_a_sender() -> None:
    entries = services(render().master_cf)
    notifiers = {name: entry for name, entry in entries.items() if entry.split()[7] == "bounce"}
    assert set(notifiers) == {"bounce", "defer", "trace"}
    assert all("cleanup_service_name=cleanup-notice" in entry for entry in notifiers.values())
    assert "non_smtpd_milters=unix:/" in entries["cleanup-notice"]
    assert "milter_macro_daemon_name=notice" in entries["cleanup-notice"]
    assert "{/^Subject:/ DISCARD}, {/^To: bounce\\+[0-9a-f]+@/ FILTER discard:}" in entries["cleanup-notice"]
    # no other service may be mistaken for one of these
    assert [name for name, entry in entries.items() if "milter_macro_daemon_name=notice" in entry] == ["cleanup-notice"]
    assert all("milter_macro_daemon_name=" in entry for entry in entries.values() if entry.split()[7] == "smtpd")


def test_an_outbox_takes_all() -> None:
    configuration = render()
    main_cf = parameters(configuration.main_cf)
    assert (main_cf["default_transport"], main_cf["local_transport"]) == ("outbox", "outbox")
    entry = services(configuration.master_cf)["outbox"]
    assert "virtual_mailbox_base=/srv/mailweir -o virtual_mailbox_maps=static:outbox/" in entry
    assert "virtual_uid_maps=static:998 -o virtual_gid_maps=static:997" in entry


@pytest.mark.parametrize(
    ("outbound", "relayhost"), [("mx", ""), ("relayhost mail.elsewhere.example:587", "[mail.elsewhere.example]:587")]
)
def test_mail_that_leaves(outbound: str, relayhost: str) -> None:
    configuration = render(outbound=outbound)
    main_cf = parameters(configuration.main_cf)
    assert main_cf["relayhost"] == relayhost
    assert "default_transport" not in main_cf
    assert main_cf["local_transport"].startswith("error:5.1.1")
    assert "outbox" not in services(configuration.master_cf)


def test_an_ipv6_address_to_listen_on() -> None:
    configuration = render(smtp={"bind_address": "::1", "smtp_port": 25})
    assert "[::1]:25" in services(configuration.master_cf)
    assert parameters(configuration.main_cf)["inet_protocols"] == "all"


def test_a_certificate_of_the_admins() -> None:
    assert parameters(render().main_cf)["smtpd_tls_chain_files"] == "/srv/mailweir/tls/self-signed.pem"
    own = {"tls_certificate_file": "/etc/tls/mx.pem", "tls_key_file": "/etc/tls/mx.key"}
    assert parameters(render(smtp=own).main_cf)["smtpd_tls_chain_files"] == "/etc/tls/mx.key, /etc/tls/mx.pem"


@pytest.mark.parametrize("odd", ["a b", "a$b", "a\nb = c", "a,b", "{a}", "a#b", "", "ä"])
def test_a_value_that_would_mean_something_to_postfix(odd: str) -> None:
    with pytest.raises(SettingsError, match="hostname"):
        render(hostname=odd)


def test_sizes() -> None:
    main_cf = parameters(render(smtp={"max_message_bytes": 100_001}).main_cf)
    assert (main_cf["message_size_limit"], main_cf["queue_minfree"]) == ("100001", "150001")


def test_postfix_need_not_wait_for_the_files_to_settle(tmp_path: Path) -> None:
    rendering.write(rendering.Configuration("a", "b"), tmp_path)
    assert all(time.time() - path.stat().st_mtime > 5 for path in tmp_path.iterdir())


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "etc"
    victim.write_text("untouched")
    folder.mkdir()
    for name in ("main.cf", ".main.cf.new", "master.cf"):
        (folder / name).symlink_to(victim)
    before = os.umask(0o077)
    try:
        rendering.write(rendering.Configuration("a", "b"), folder)
    finally:
        os.umask(before)
    assert victim.read_text() == "untouched"
    assert {(one.name, one.is_symlink(), one.stat().st_mode & 0o777) for one in folder.iterdir()} == {
        ("main.cf", False, 0o644),
        ("master.cf", False, 0o644),
    }


def test_the_files_are_replaced_at_once(tmp_path: Path) -> None:
    rendering.write(rendering.Configuration("a", "b"), tmp_path)
    kept = (tmp_path / "main.cf").open()
    rendering.write(rendering.Configuration("c", "d"), tmp_path)
    assert kept.read() == "a"
    kept.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"main.cf": "c", "master.cf": "d"}
