"""The mailboxes of the tests' Gmail server: they are like Gmail's where the sync relies on it."""

import time

import pytest

from tests.gmail.calls import Kind
from tests.gmail.client import ODD, Users, error_of, ids_found, ids_of, mail
from tests.gmail.server import GmailServer, received
from tests.gmail.upstream import raw_bytes


def test_from_insert_by_history_and_list_to_the_same_bytes(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    start = api.getProfile(userId="me").execute()
    assert start["messagesTotal"] == 0
    ids = {
        richard.insert(ODD, at=received(23)): "insert",
        richard.import_(ODD + b"\r\n"): "import",
        richard.send(mail("richard@firm.example", to="jane@client.example")): "send",
    }
    page = api.history().list(userId="me", startHistoryId=start["historyId"]).execute()
    added = [one["message"]["id"] for record in page["history"] for one in record.get("messagesAdded", [])]
    assert added == list(ids)
    assert page["historyId"] == richard.history_id
    assert set(ids_of(api.messages().list(userId="me").execute())) == set(ids)
    first = next(iter(ids))
    got = api.messages().get(userId="me", id=first, format="raw").execute()
    assert raw_bytes(got["raw"]) == ODD
    assert got["internalDate"] == str(int(received(23).timestamp() * 1000))
    assert richard.labels(list(ids)[2]) == {"SENT"}
    profile = api.getProfile(userId="me").execute()
    assert (profile["messagesTotal"], profile["historyId"]) == (3, page["historyId"])


def test_metadata_has_every_header_as_it_stands(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    id_ = richard.insert(ODD)
    api = users(richard)
    got = api.messages().get(userId="me", id=id_, format="metadata", metadataHeaders=["from", "X-Folded"]).execute()
    assert [(one["name"], one["value"]) for one in got["payload"]["headers"]] == [
        ("From", "Jane <jane@client.example>"),
        ("X-Folded", "a b"),
        ("From", "two@client.example"),
    ]
    assert "raw" not in got
    assert gmail.calls.counts(richard.address)[Kind.GET_RAW] == 0


def test_an_idle_mailbox_has_no_history_key(gmail: GmailServer, users: Users) -> None:
    api = users(gmail.mailbox("richard"))
    page = api.history().list(userId="me", startHistoryId="1").execute()
    assert "history" not in page
    assert "messages" not in api.messages().list(userId="me").execute()


def test_what_comes_in_has_come_in_now_and_what_is_imported_when_it_was_sent(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    old = mail("jane@client.example", more="Date: Tue, 03 Nov 2026 12:00:00 +0000\r\n")
    before = time.time() * 1000 - 1
    ids = [richard.insert(old), richard.send(old)]
    richard.draft(old)
    (draft,) = richard.ids() - set(ids)
    for id_ in (*ids, draft):
        assert before <= int(richard.get(id_)["internalDate"]) <= time.time() * 1000
    assert richard.get(richard.import_(old))["internalDate"] == str(int(received(3).timestamp() * 1000))


def test_labels_drafts_and_deletion_are_in_the_history(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    spam = richard.insert(mail("jane@client.example"), labels=("SPAM",))
    start = richard.history_id
    richard.modify(spam, add=("INBOX",), remove=("SPAM",))
    draft = richard.draft(mail("richard@firm.example", to="jane@client.example", number=2))
    draft = richard.save_draft(draft, mail("richard@firm.example", to="jane@client.example", number=2, body="more"))
    sent = richard.send_draft(draft)
    richard.trash(spam)
    richard.delete(spam)
    assert richard.labels(sent) == {"SENT"}
    seen = [
        (kind, tuple(one.get("labelIds", ())))
        for record in users(richard).history().list(userId="me", startHistoryId=start).execute()["history"]
        for kind in ("messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved")
        for one in record.get(kind, [])
    ]
    assert seen == [
        ("labelsAdded", ("INBOX",)),
        ("labelsRemoved", ("SPAM",)),
        ("messagesAdded", ()),
        ("messagesAdded", ()),
        ("messagesDeleted", ()),
        ("labelsAdded", ("SENT",)),
        ("labelsRemoved", ("DRAFT",)),
        ("labelsAdded", ("TRASH",)),
        ("labelsRemoved", ("INBOX",)),
        ("messagesDeleted", ()),
    ]


def test_a_filter_of_the_owner_files_what_comes_in(gmail: GmailServer) -> None:
    richard = gmail.mailbox("richard")
    clients = richard.label("Clients")
    richard.filter("jane@client.example", add=(clients,), remove=("INBOX",))
    assert richard.labels(richard.insert(mail("jane@client.example"))) == {"UNREAD", clients}


def test_pages_of_history_and_list(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    ids = [richard.insert(mail("jane@client.example", number=n), at=received(1 + n)) for n in range(7)]
    gmail.view.page_limit = 3
    listed, request = list[str](), api.messages().list(userId="me")
    while request is not None:
        page = request.execute()
        listed += ids_of(page)
        request = api.messages().list_next(request, page)
    assert listed == ids[::-1]
    added, request = list[str](), api.history().list(userId="me", startHistoryId="1")
    while request is not None:
        page = request.execute()
        added += [one["message"]["id"] for record in page["history"] for one in record["messagesAdded"]]
        request = api.history().list_next(request, page)
    assert added == ids
    counts = gmail.calls.counts(richard.address)
    assert (counts[Kind.LIST], counts[Kind.HISTORY]) == (3, 3)


def test_a_page_token_holds_for_its_own_question(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    for number in range(3):
        richard.insert(mail("jane@client.example", number=number))
    api = users(richard)
    page = api.history().list(userId="me", startHistoryId="1", maxResults=1).execute()
    other = api.history().list(userId="me", startHistoryId="2", pageToken=page["nextPageToken"], maxResults=1)
    assert error_of(other) == (400, "invalidArgument")


def test_mailboxes_are_apart(gmail: GmailServer, users: Users) -> None:
    richard, mary = gmail.mailbox("richard"), gmail.mailbox("mary")
    id_ = richard.insert(ODD)
    api = users(mary)
    assert api.messages().list(userId="me").execute()["resultSizeEstimate"] == 0
    assert "history" not in api.history().list(userId="me", startHistoryId="1").execute()
    assert error_of(api.messages().get(userId="me", id=id_)) == (404, "notFound")
    assert error_of(api.messages().get(userId="me", id=id_, format="metadata")) == (404, "notFound")
    assert error_of(api.messages().get(userId=richard.address, id=id_)) == (403, "forbidden")


def test_the_addresses_that_an_owner_sends_as(gmail: GmailServer, users: Users) -> None:
    got = users(gmail.mailbox("richard")).settings().sendAs().list(userId="me").execute()
    assert [one["sendAsEmail"] for one in got["sendAs"]] == ["richard@firm.example"]


# ---- search


def test_forms_of_q(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    api = users(richard)
    jane = richard.insert(mail("Jane <jane@client.example>", number=1), at=received(20))
    to_bob = richard.send(
        mail("richard@firm.example", to="x@else.example", number=2, more="Cc: Bob <bob@client.example>\r\n")
    )
    stranger = richard.insert(mail("s@else.example", number=3, body="jane and bob"), at=received(22))
    spam = richard.insert(mail("jane@client.example", number=4), labels=("SPAM",), at=received(21))
    draft_id = richard.draft(mail("richard@firm.example", to="jane@client.example", number=5))
    (draft,) = richard.ids() - {jane, to_bob, stranger, spam}
    both = "{from:jane@client.example to:jane@client.example from:bob@client.example to:bob@client.example}"
    assert ids_found(api, both) == {jane, to_bob, draft}
    assert ids_found(api, f"{both} -in:draft") == {jane, to_bob}
    assert ids_found(api, f"{both} -in:drafts -in:chats in:anywhere") == {jane, to_bob, spam}
    assert ids_found(api, f"{both} -in:draft", includeSpamTrash=True) == {jane, to_bob, spam}
    assert ids_found(api, "from:jane@client.example OR to:bob@client.example") == {jane, to_bob}
    assert ids_found(api, "from:jane@client.example OR from:s@else.example in:inbox") == {jane, stranger}
    assert ids_found(api, "(from:jane@client.example OR to:bob@client.example) -is:unread") == {to_bob}
    assert ids_found(api, "cc:bob@client.example") == {to_bob}
    assert ids_found(api, "rfc822msgid:<3@client.example>") == {stranger}
    assert ids_found(api, "rfc822msgid:3@client.example") == {stranger}
    assert ids_found(api, "rfc822msgid:33@client.example") == set()
    noon = int(received(21).timestamp())
    assert ids_found(api, f"in:inbox after:{noon}") == {stranger}
    assert ids_found(api, f"in:inbox before:{noon}") == {jane}
    assert ids_found(api, "in:inbox after:2026/11/21 before:2026/11/23") == {stranger}
    assert ids_found(api, '"number 3"') == {stranger}
    assert ids_found(api, "-{from:jane@client.example from:richard@firm.example}") == {stranger}
    richard.send_draft(draft_id)
    assert ids_found(api, f"{both} -in:draft") == {jane, to_bob, draft}
    richard.delete(jane)
    assert ids_found(api, f"{both} -in:draft", maxResults=1) | ids_found(api, "in:sent") == {to_bob, draft}


@pytest.mark.parametrize("query", ["form:jane@client.example", "{from:a", "from:", "after:yesterday", "a)"])
def test_a_slip_in_q_is_told(gmail: GmailServer, users: Users, query: str) -> None:
    assert error_of(users(gmail.mailbox("richard")).messages().list(userId="me", q=query)) == (400, "invalidArgument")


def test_a_long_q_comes_as_a_post_and_is_answered(gmail: GmailServer, users: Users) -> None:
    richard = gmail.mailbox("richard")
    jane = richard.insert(mail("jane@client.example"))
    query = " OR ".join(f"from:person{number}@client.example" for number in range(80)) + " OR from:jane@client.example"
    assert ids_found(users(richard), query) == {jane}
    assert gmail.posted_gets == 1
