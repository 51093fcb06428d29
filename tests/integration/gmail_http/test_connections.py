"""Gmail's API: connections are kept and never mixed up, quota is checked first, and secrets don't leak."""

import logging
import traceback

import pytest

from mailweir.errors import SettingsError
from mailweir.gmail.api import Api, MailboxReader
from mailweir.gmail.errors import GmailError, MessageGone, Throttled, Unreachable
from mailweir.gmail.tokens import UserCredentials
from mailweir.settings import Gmail
from tests.gmail_api import NEXT, client_of, reader
from tests.scripted_http import Answer, Server, as_json, raw_answer, refusal


def test_a_late_answer_never_goes_to_the_next_mailbox(api: Api, server: Server, spent: list[int]) -> None:
    slow, other = reader(api, server, spent), reader(api, server, spent, "refresh-2")
    server.script = [NEXT, as_json({"historyId": "666"}), as_json({"historyId": "8"})]
    slow.history("1")
    late = Answer(200, b'{"historyId":"666"}', delay_seconds=1.2)
    server.script = [late, as_json({"historyId": "7"}), as_json({"historyId": "8"})]
    assert slow.history("1").history_id == "7"  # sent again, on a new connection
    assert other.history("1").history_id == "8"
    server.script = [late, late, as_json({"historyId": "9"})]
    with pytest.raises(Unreachable):
        slow.history("1")
    assert other.history("1").history_id == "9"


def test_a_connection_is_kept_also_after_a_refusal(mailbox: MailboxReader, server: Server) -> None:
    server.script = [NEXT, refusal(404, "notFound"), NEXT]
    mailbox.history("1")
    with pytest.raises(MessageGone):
        mailbox.metadata("m1")
    mailbox.history("1")
    assert len({asked.connection for asked in server.asked}) == 1


def test_no_request_without_room_in_the_quota(api: Api, server: Server) -> None:
    def spend(units: int) -> None:
        raise Throttled(f"{units} units are too many", 3.0)

    mailbox = api.mailbox(UserCredentials(client_of(server), "r"), spend)
    for ask in (mailbox.profile, lambda: mailbox.history("1"), lambda: mailbox.raw("m")):
        with pytest.raises(Throttled):
            ask()
    assert server.asked == []


def test_costs_are_the_settings(server: Server, spent: list[int]) -> None:
    config = Gmail(api_endpoint=server.url, profile_units=11, history_units=12, list_units=13, get_units=14)
    mailbox = reader(Api(config), server, spent)
    message = {"id": "m", "internalDate": "0", "payload": {"headers": [{"name": "From", "value": "x"}]}}
    server.script = [as_json({"emailAddress": "a@b.example", "historyId": "1"}), NEXT, as_json({}), as_json(message)]
    server.script.append(raw_answer("m", b"x"))
    mailbox.profile(), mailbox.history("1"), mailbox.list_ids("x"), mailbox.metadata("m"), mailbox.raw("m")
    assert spent == [11, 12, 13, 14, 14]


def test_no_token_is_written_anywhere(api: Api, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    credentials = UserCredentials(client_of(server), "refresh-1")
    mailbox = api.mailbox(credentials, lambda units: None)
    caplog.set_level(logging.DEBUG)
    server.answer = lambda asked: as_json({"access_token": "access-secret", "expires_in": 3600})
    server.script = [NEXT, refusal(403, "forbidden", "No."), Answer(200, b"{")]
    mailbox.history("1")
    said = [repr(credentials), str(vars(mailbox)), caplog.text]
    for _ in range(2):
        with pytest.raises(GmailError) as caught:
            mailbox.history("1")
        said.append(repr(caught.value) + "".join(traceback.format_exception(caught.value)))
    assert not [text for text in said if "access-secret" in text or "refresh-1" in text]


@pytest.mark.parametrize(
    "url",
    [
        *("http://gmail.example/", "ftp://127.0.0.1/", "gmail", "http://127.0.0.1.evil.example/", ""),
        *("https://", "https://gmail.example:x/", "http://127.0.0.1:99999/", "https://a..b/", "https://[::1"),
    ],
)
def test_tokens_never_cross_a_network_in_the_clear(url: str) -> None:
    with pytest.raises(SettingsError, match="https"):
        Api(Gmail(api_endpoint=url))


def test_a_proxy_of_the_environment_is_not_asked(
    mailbox: MailboxReader, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.script = [NEXT]
    assert mailbox.history("1").history_id == "7"
