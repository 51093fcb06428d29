"""Gmail's API over real HTTP, as its tests use it: a mailbox's reader, and its server's requests. See `scripted_http`."""

from mailweir.gmail.api import Api, MailboxReader
from mailweir.gmail.oauth_files import OAuthClient
from mailweir.gmail.tokens import UserCredentials
from tests.scripted_http import Server, as_json

ME = "/gmail/v1/users/me"
NEXT = as_json({"historyId": "7"})


def client_of(server: Server) -> OAuthClient:
    """The OAuth client whose consents and tokens the server knows."""
    return OAuthClient("id", "secret", server.url + "/auth", server.url + "/token", ())


def reader(api: Api, server: Server, spent: list[int], refresh_token: str = "refresh-1") -> MailboxReader:
    """A reader of a mailbox by its user's consent. spent: gets the units of each request."""
    return api.mailbox(UserCredentials(client_of(server), refresh_token), spent.append)


def calls(server: Server) -> list[str]:
    """The requested paths, without those for tokens."""
    return [path.removeprefix(ME) for path in server.paths if path != "/token"]
