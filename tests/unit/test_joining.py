"""A client's mail that a user forwarded by hand, and its own copy that comes later, are one activity. Two mails never are.

On both databases.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from mailweir.digest.server import Digest
from mailweir.store.database.connection import Database
from mailweir.store.people import deployments
from mailweir.store.record import activities, forwarded_versions, joined, joining, retraction, threads, visibility
from mailweir.visibility import Visibility
from tests.forwarded_mail import INLINE, SUBJECT, inline, original, written
from tests.held_mail import Clock, deciding, send

if TYPE_CHECKING:
    from tests.people import MemoryDirectory

pytestmark = pytest.mark.usefixtures("known")
TO_RICHARD, TO_BOTH = "richard@demo.example.net", "richard@demo.example.net mary@demo.example.net"
TEXT = INLINE["gmail en"][1]
FILE = (
    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n{}\n--b\n"
    'Content-Type: text/csv; name="a.csv"\n\n{}\n--b--\n'
)


@pytest.fixture
def known(database: Database, people: "MemoryDirectory") -> None:
    """The database knows the people."""
    people.write(database)


@pytest.fixture
def arrive(database: Database, clock: Clock, held_digest: Digest) -> Callable[..., None]:
    """Delivers a mail, and lets the digest do all work that is due."""

    def come(raw: bytes, queue_id: str, recipients: str = "log@demo.example.net") -> None:
        send(database, raw, queue_id, recipients=recipients, at=clock.at)
        held_digest.work_off()

    return come


def _own(test: str = "client", old: str = "Subject:", new: str = "Subject:", **changes: str) -> bytes:
    """The client's own copy. test: the scripted examiner's result."""
    raw = original(**changes).replace(old.encode(), new.encode(), 1)
    return raw.replace(b"Message-ID:", f"X-Test: {test}\r\nMessage-ID:".encode(), 1)


def _record(database: Database) -> list[tuple[Any, ...]]:
    """(id, sender verdict, number of versions, number of users) of each activity."""
    sql = (
        "SELECT a.id, a.sender_verdict, (SELECT COUNT(*) FROM raw_messages r WHERE r.activity_id = a.id),"
        " (SELECT COUNT(*) FROM activity_users u WHERE u.activity_id = a.id) FROM activities a ORDER BY a.id"
    )
    return [tuple(row) for row in database.execute(sql).fetchall()]


def _todos(database: Database) -> list[tuple[Any, ...]]:
    sql = "SELECT activity_id, user_id, done_at IS NOT NULL FROM todos ORDER BY activity_id, user_id"
    return [(one, user, bool(is_done)) for one, user, is_done in database.execute(sql).fetchall()]


@pytest.mark.parametrize("name", INLINE)
def test_the_mail_itself_that_comes_after_its_forward_is_one_activity_with_it(
    database: Database, arrive: Callable[..., None], name: str
) -> None:
    """The mail itself leads: it is proven, and richard's own text is only in the forward."""
    arrive(inline(name), "4Xy1")
    (first,) = _record(database)
    arrive(_own(), "4Xy2", TO_BOTH)
    assert _record(database) == [(first[0], "pass", 2, 2)]
    assert forwarded_versions.of_leading(database, first[0]) is None
    assert [one[0] for one in _todos(database)] == [first[0], first[0]]
    sql = "SELECT message_id, sent_at FROM activities"
    assert [tuple(row) for row in database.execute(sql).fetchall()] == [
        ("<o1@client.example>", "2026-11-23T09:15:42.000000Z")
    ]
    # from now on, further mail is a version or a sighting
    arrive(_own(), "4Xy3", TO_RICHARD)
    arrive(inline(name, message_id="<f2@firm.example>"), "4Xy4")
    assert [one[0] for one in _record(database)] == [first[0]]
    sql = "SELECT COUNT(*) FROM decisions WHERE activity_id = ?"
    assert database.execute(sql, (first[0],)).fetchone()[0] == 4


@pytest.mark.parametrize(
    ("forward", "own"),
    [
        (TEXT, _own("forged")),  # law 8
        (TEXT, _own("none")),
        (TEXT, _own(body="We offer ten!")),
        (TEXT, _own(body="We offer ten.\r\nOr eleven.")),
        (TEXT, _own(body="We offer")),
        (TEXT, _own(body="")),
        (TEXT.replace("ten.", "ten. https://a.example/1"), _own(body="We offer ten. https://a.example/2")),
        (TEXT.replace("ten.", "-5"), _own(body="We offer 5")),
        (TEXT, _own(old="09:15:42", new="09:16:42")),
        (TEXT, _own(old="09:15:42", new="10:15:42")),  # perhaps another zone: no id shows it
        (TEXT, _own(subject="Angebot 2232")),
        (TEXT, _own(author="joe@client.example")),
        (TEXT, _own(old="Content-Type: text/plain; charset=utf-8\r\n\r\nWe offer ten.",
                    new=FILE.format("We offer ten.", "1,2").replace("\n", "\r\n"))),
    ],
)  # fmt: skip
def test_what_may_be_another_mail_stays_one_of_its_own(
    database: Database, arrive: Callable[..., None], forward: str, own: bytes
) -> None:
    arrive(written(f"Fwd: {SUBJECT}", forward), "4Xy1")
    arrive(own, "4Xy2", TO_RICHARD)
    assert [one[2] for one in _record(database)] == [1, 1]
    assert database.execute("SELECT COUNT(*) FROM joined_activities").fetchone()[0] == 0


def test_a_second_mail_of_the_same_words_is_not_a_third_version(
    database: Database, arrive: Callable[..., None]
) -> None:
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    arrive(_own(), "4Xy2", TO_RICHARD)
    arrive(_own(message_id="<o2@client.example>"), "4Xy3", TO_RICHARD)
    assert [one[2] for one in _record(database)] == [2, 1]


def test_an_id_that_the_forward_names_makes_up_for_a_zone(database: Database, arrive: Callable[..., None]) -> None:
    text = TEXT.replace("10:15", "4:15")
    arrive(written(f"Fwd: {SUBJECT}", text, more="References: <o1@client.example>\r\n"), "4Xy1")
    arrive(_own(), "4Xy2", TO_RICHARD)
    assert [one[2] for one in _record(database)] == [2]


@pytest.mark.parametrize("done_first", [True, False])
def test_a_to_do_that_is_done_stays_done(
    database: Database, arrive: Callable[..., None], monkeypatch: pytest.MonkeyPatch, clock: Clock, done_first: bool
) -> None:
    """This holds for both of them, and also if the digest joins them only later."""
    with monkeypatch.context() as patch:
        patch.setattr(joining, "note", lambda *_: False)
        arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
        arrive(_own(), "4Xy2", TO_BOTH)
    forward, own = (one[0] for one in _record(database))
    done = (own, forward)[done_first]
    database.execute("UPDATE todos SET done_at = '2026-11-24T04:00:00Z' WHERE activity_id = ? AND user_id = 1", (done,))
    with database.transaction():
        assert joining.note(database, [own])
    assert joining.work_off(database, clock.at) == 1
    assert _todos(database) == [(forward, 1, True), (forward, 2, False)]


@pytest.mark.parametrize(
    ("of_forward", "of_own", "expected"),
    [
        ((None, "everyone"), (None, "participants"), "participants"),
        ((None, "metadata"), (None, "everyone"), "metadata"),
        (("by hand", "everyone"), (None, "participants"), "everyone"),
        ((None, "participants"), ("by hand", "everyone"), "everyone"),
        (("by hand", "everyone"), ("by hand", "metadata"), "metadata"),
    ],
)
def test_law_13_the_stricter_counts_and_a_setting_by_hand_wins(
    database: Database,
    arrive: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    of_forward: tuple[str | None, str],
    of_own: tuple[str | None, str],
    expected: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(joining, "note", lambda *_: False)
        arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
        arrive(_own(), "4Xy2", TO_BOTH)
    forward, own = (one[0] for one in _record(database))
    sql = "UPDATE activities SET visibility = ?, is_visibility_manual = ? WHERE id = ?"
    for one, (by_hand, wanted) in ((forward, of_forward), (own, of_own)):
        database.execute(sql, (wanted, int(by_hand is not None), one))
    with database.transaction():
        joining.note(database, [forward])
    joining.work_off(database, clock.at)
    sql = "SELECT id, visibility FROM activities"
    assert [tuple(row) for row in database.execute(sql).fetchall()] == [(forward, expected)]


def test_the_older_goes_on_and_the_other_id_leads_to_it(
    database: Database, arrive: Callable[..., None], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The mail may be the older one: two hosts record both at the same time, and neither sees the other one's rows."""
    with monkeypatch.context() as patch:
        patch.setattr(forwarded_versions, "identity_of_original", lambda *_, **__: None)
        arrive(_own(), "4Xy2", TO_RICHARD)
        own = _record(database)[0][0]
        arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    assert _record(database) == [(own, "pass", 2, 1)]
    (old,) = (row[0] for row in database.execute("SELECT old_id FROM joined_activities").fetchall())
    demo = deployments.find(database, "demo")
    assert (joined.current(database, old), joined.current(database, own)) == (own, None)
    assert activities.find(database, old, demo).id == own
    visibility.set_by_hand(database, old, Visibility.METADATA, "x", clock.at, demo)
    assert activities.find(database, own).visibility == "metadata"
    assert database.execute("SELECT COUNT(*) FROM activities WHERE id = ?", (old,)).fetchone()[0] == 0


def test_law_8_a_forged_copy_that_came_first_is_not_joined_either(
    database: Database, arrive: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarded_versions, "identity_of_original", lambda *_, **__: None)
    arrive(_own("none"), "4Xy2", TO_RICHARD)
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    assert [one[2] for one in _record(database)] == [1, 1]


def test_its_conversation_is_that_of_the_mail_itself(database: Database, arrive: Callable[..., None]) -> None:
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    (forward,) = (one[0] for one in _record(database))
    before = threads.of(database, forward)
    arrive(_own(message_id="<o0@client.example>", subject="Anfrage", body="Good day"), "4Xy0", TO_RICHARD)
    asked = _record(database)[1][0]
    arrive(_own(new="In-Reply-To: <o0@client.example>\r\nSubject:"), "4Xy2", TO_RICHARD)
    assert [one[0] for one in _record(database)] == [forward, asked]
    assert threads.of(database, forward) == threads.of(database, asked) == threads.current(database, before or 0)
    answer = _own(message_id="<o3@client.example>", body="And?", new="In-Reply-To: <o1@client.example>\r\nSubject:")
    arrive(answer, "4Xy3", TO_RICHARD)
    assert threads.of(database, _record(database)[2][0]) == threads.of(database, forward)


def test_a_pair_that_was_noted_before_a_kill_is_joined_by_the_next_digest(
    database: Database, arrive: Callable[..., None], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    with monkeypatch.context() as patch:
        patch.setattr(joining, "work_off", lambda *_: 0)
        arrive(_own(), "4Xy2", TO_RICHARD)
    assert len(_record(database)) == 2
    with deciding(database, clock) as other:
        send(database, _own(message_id="<o9@client.example>", subject="x"), "4Xy9", recipients=TO_RICHARD, at=clock.at)
        other.work_off()
    assert [one[2] for one in _record(database)] == [2, 1]


def test_what_cannot_be_joined_holds_up_nothing(
    database: Database, arrive: Callable[..., None], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(joining, "note", lambda *_: False)
        arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
        arrive(_own(), "4Xy2", TO_RICHARD)
    own = _record(database)[1][0]
    with database.transaction():
        joining.note(database, [own])
    database.execute("UPDATE readings SET text_zstd = ?", (b"rubbish",))
    assert joining.work_off(database, clock.at) == 0
    assert database.execute("SELECT COUNT(*) FROM joined_activities").fetchone()[0] == 0
    assert len(_record(database)) == 2
    monkeypatch.setattr(joining, "work_off", lambda *_: 1 // 0)
    arrive(_own(message_id="<o9@client.example>", subject="x"), "4Xy9", TO_RICHARD)
    assert _record(database)[2][1] == "pass"


def test_law_4_another_deployments_forward_is_nobodys(
    database: Database, arrive: Callable[..., None], people: "MemoryDirectory"
) -> None:
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    (forward,) = (one[0] for one in _record(database))
    database.execute("UPDATE activities SET deployment_id = 2 WHERE id = ?", (forward,))
    arrive(_own(), "4Xy2", TO_RICHARD)
    assert [one[2] for one in _record(database)] == [1, 1]


def test_what_is_erased_leaves_no_id_behind(database: Database, arrive: Callable[..., None]) -> None:
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    arrive(_own(), "4Xy2", TO_RICHARD)
    (one,) = (row[0] for row in _record(database))
    with retraction.unchecked(database), database.transaction():
        retraction.erase(database, one, retraction.Because("never_log", "[]"))
    assert database.execute("SELECT COUNT(*) FROM joined_activities").fetchone()[0] == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_names_an_activity_that_was_joined_to_another(database: Database, arrive: Callable[..., None]) -> None:
    """SQLite doesn't check that itself, because it would read whole tables."""
    arrive(written(f"Fwd: {SUBJECT}", TEXT), "4Xy1")
    arrive(_own(), "4Xy2", TO_BOTH)
    assert len(_record(database)) == 1
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert database.execute("PRAGMA foreign_keys").fetchone()[0] == 1
