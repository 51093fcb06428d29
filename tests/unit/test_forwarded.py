"""Messages forwarded by hand with their authors, and similar mails that aren't forwards."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading import forwarded

JANE = "jane@client.example"
NOON = datetime(2024, 6, 3, 8, 0, tzinfo=UTC)

# By program and language: a forwarded text, and the subject of the mail.
MARKED = {
    "gmail": "---------- Forwarded message ---------\nFrom: Jane Roe <jane@client.example>\nDate: Mon, Jun 3, 2024 at 10:00 AM\n"
    "Subject: Tuesday\nTo: Bob <bob@demo.example>",
    "gmail, german": "---------- Forwarded message ---------\nVon: Jane Roe <jane@client.example>\nDate: Mo., 3. Juni 2024 "
    "um 10:00 Uhr\n"
    "Subject: Tuesday\nTo: Bob <bob@demo.example>",
    "apple": "Begin forwarded message:\n\n> From: Jane Roe <jane@client.example>\n> Subject: Tuesday\n> Date: 3 June 2024 "
    "at 10:00:00 CEST\n"
    "> To: bob@demo.example",
    "apple, all quoted": "> Anfang der weitergeleiteten Nachricht:\n> \n> Von: Jane Roe <jane@client.example>\n> Betreff: "
    "Tuesday\n"
    "> Datum: 3. Juni 2024 um 10:00:00 MESZ\n> An: bob@demo.example",
    "thunderbird": "-------- Forwarded Message --------\nSubject: \tTuesday\nDate: \tMon, 3 Jun 2024 10:00:00 +0200\n"
    "From: \tJane Roe <jane@client.example>\nTo: \tbob@demo.example",
    "thunderbird, italian": "-------- Messaggio Inoltrato --------\nOggetto: \tTuesday\nData: \tMon, 3 Jun 2024 10:00:00 +0200\n"
    "Mittente: \tJane Roe <jane@client.example>\nA: \tbob@demo.example",
    "yahoo": "----- Forwarded Message ----- From: Jane Roe <jane@client.example>To: Bob <bob@demo.example>"
    "Sent: Monday, June 3, 2024, 10:00:00 AM GMT+2Subject: Tuesday",
    "hubspot": "---------- Mensaje reenviado ---------\nDe: Jane Roe <jane@client.example>\nFecha: lunes, 3 de junio de "
    "2024 10:00:00 +0200\n"
    "Asunto: Tuesday\nPara: bob@demo.example",
    "missive": "---------- Forwarded message ----------\nFrom: Jane Roe <jane@client.example<mailto:jane@client.example>>\n"
    "Date: June 3, 2024 at 10:00 AM\nTo: bob@demo.example\nSubject: Tuesday",
    "mailmate": "Forwarded message:\n\n> From: Jane Roe <jane@client.example>\n> To: bob@demo.example\n> Subject: Tuesday\n"
    "> Date: Mon, 3 Jun 2024 10:00:00 +0200",
    "mutt": "----- Forwarded message from Jane Roe <jane@client.example> -----\n\nDate: Mon, 3 Jun 2024 10:00:00 +0200\n"
    "From: Jane Roe <jane@client.example>\nTo: bob@demo.example\nSubject: Tuesday",
    "from html": "---------- Forwarded message ---------\n\nFrom: Jane Roe <jane@client.example>\n\nDate: Mon, Jun 3, 2024 "
    "at 10:00 AM\n\n"
    "Subject: Tuesday\n\nTo: Bob <bob@demo.example>",
    "japanese": "---------- メッセージを転送 ---------\n送信元：Jane Roe <jane@client.example>\n日付：2024年6月3日月曜日 "
    "10:00:00 +0200\n件名：Tuesday\n送信先：bob@demo.example",
    "polish": "---------- Forwarded message ---------\nOd: Jane Roe <jane@client.example>\nDate: pon., 3 cze 2024 o 10:00\n"
    "Subject: Tuesday\nTo: Bob",
    "a language that no table has": "---------- Forwarded message ---------\nXanna: Jane Roe <jane@client.example>\n"
    "Date: Mon, 3 Jun 2024 10:00:00 +0200\nSubject: Tuesday\nTo: Bob",
}
UNMARKED = {
    "outlook": "________________________________\nFrom: Jane Roe <jane@client.example>\nSent: Monday, June 3, 2024 10:00\n"
    "To: Bob <bob@demo.example>\nSubject: Tuesday",
    "outlook 2013": "From: Jane Roe [mailto:jane@client.example]\nSent: 03 June 2024 10:00\nTo: bob@demo.example\nSubject: "
    "Tuesday",
    "outlook, no first name first": "From: Roe, Jane [mailto:jane@client.example]\nSent: 03 June 2024 10:00\nTo: Bob\n"
    "Subject: Tuesday",
    "outlook, french": "De : Jane Roe <jane@client.example>\nEnvoyé : lundi 3 juin 2024 10:00\nÀ : Bob\nObjet : Tuesday",
    "outlook, bold": "*From:* Jane Roe <jane@client.example>\n*Sent:* Monday, June 3, 2024 10:00\n*To:* Bob\n*Subject:* Tuesday",
    "outlook for mac, german": "Von: Jane Roe <jane@client.example>\nDatum: Montag, 3. Juni 2024 um 10:00\nAn: Bob\n"
    "Betreff: Tuesday",
    "an original message": "-----Original Message-----\nFrom: jane@client.example <mailto:jane@client.example>\nSent: June "
    "3, 2024 10:00 AM\n"
    "To: Bob\nSubject: Tuesday",
    "ionos": "> ---------- Original Message ----------\n> From: Jane Roe <jane@client.example>\n> To: bob@demo.example\n> "
    "Date: 2024-06-03 10:00\n"
    "> Subject: Tuesday",
}


@pytest.mark.parametrize("note", ["", "For the record.\n\nBob\n\n"])
@pytest.mark.parametrize("subject", ["Fwd: Tuesday", "WG: Tuesday", ""])
@pytest.mark.parametrize("header", MARKED.values(), ids=MARKED)
def test_what_a_marker_says_is_forwarded(header: str, subject: str, note: str) -> None:
    text = f"{note}{header}\n\nShall we say Tuesday?\n"
    found = forwarded.find(text, subject, "+0200")
    assert found is not None
    assert (found.author, found.date, found.subject) == (JANE, NOON, "Tuesday")
    assert found.author_name == "Jane Roe"
    assert text[found.start :].startswith(header)


@pytest.mark.parametrize("note", ["", "For the record.\n\nBob\n\n"])
@pytest.mark.parametrize(
    "subject", ["Fwd: Tuesday", "FW: Tuesday", "[EXT] Fwd: Tuesday", "TR: Tuesday", "İLT: Tuesday", "转发：Tuesday"]
)
@pytest.mark.parametrize("header", UNMARKED.values(), ids=UNMARKED)
def test_a_header_counts_where_the_subject_says_that_it_was_forwarded(header: str, subject: str, note: str) -> None:
    found = forwarded.find(f"{note}{header}\n\nShall we say Tuesday?\n", subject, "+0200")
    assert found is not None
    assert (found.author, found.date, found.subject) == (JANE, NOON, "Tuesday")


@pytest.mark.parametrize("subject", ["Re: Tuesday", "AW: Tuesday", "RE: Fwd: Tuesday", ""])
@pytest.mark.parametrize("header", [header for name, header in UNMARKED.items() if name != "ionos"])
def test_a_header_below_a_reply_is_no_forwarded_message(header: str, subject: str) -> None:
    assert forwarded.find(f"That suits us.\n\n{header}\n\nShall we say Tuesday?\n", subject) is None


@pytest.mark.parametrize("header", UNMARKED.values(), ids=UNMARKED)
def test_a_header_counts_in_a_mail_to_the_log_address_alone(header: str) -> None:
    text = f"For the record.\n\n{header}\n\nShall we say Tuesday?\n"
    found = forwarded.find(text, "Tuesday with Jane", is_meant=True)
    assert found is not None
    assert found.author == JANE
    assert forwarded.find(text, "Re: Tuesday", is_meant=True) is None


def test_a_header_with_nothing_above_it_is_forwarded() -> None:
    text = "From: Jane <jane@client.example>\nSent: Monday\nTo: Bob\nSubject: Tuesday\n\nShall we?\n"
    found = forwarded.find(text, "Tuesday with Jane")
    assert found is not None
    assert found.author == JANE
    assert forwarded.find(text, "Re: Tuesday") is None


@pytest.mark.parametrize(
    "text",
    [
        "That suits us.\n\nOn Mon, Jun 3, 2024 Jane <jane@client.example> wrote:\n> Shall we say Tuesday?\n",
        "That suits us.\n\n-----Original Message-----\nShall we say Tuesday?\n",
        # a reply to a forwarded message
        "Thanks.\n\nOn Mon, Jun 3, 2024 Bob <bob@demo.example> wrote:\n> FYI\n> ---------- Forwarded message ---------\n"
        "> From: Jane <jane@client.example>\n> Date: Mon, Jun 3, 2024\n> Subject: Tuesday\n> To: Bob\n",
        "Name: Jane\nEmail: jane@client.example\nMessage: call me\n",
        "We forwarded the message: to Jane.\n",
        "",
    ],
)
def test_what_is_no_forwarded_message(text: str) -> None:
    assert forwarded.find(text, "Re: Tuesday") is None


@pytest.mark.parametrize("rest", [" hello: you", "May 8, 2005 1:17 PM", " :", " " + "a:" * 1_000])
def test_a_marker_with_text_behind_it_that_has_no_label_is_no_header(rest: str) -> None:
    text = f"---------- Forwarded message ---------{rest}"
    assert forwarded.find(text, "Fwd: x") is None
    below = forwarded.find(f"{text}\n\nFrom: {JANE}\nDate: 3 June 2024\nSubject: Tuesday\n", "Fwd: x")
    assert below is not None
    assert below.author == JANE


def test_of_forwards_of_forwards_it_is_the_outermost() -> None:
    inner = MARKED["gmail"].replace("Jane Roe <jane@client.example>", "Eve <eve@other.example>")
    found = forwarded.find(f"See below.\n\n{MARKED['gmail']}\n\nPlease see.\n\n{inner}\n\nHello\n", "Fwd: Fwd: Tuesday")
    assert found is not None
    assert found.author == JANE


def test_all_that_stand_below_one_another_are_told_in_order() -> None:
    inner = MARKED["gmail"].replace("Jane Roe <jane@client.example>", "Eve <eve@other.example>")
    text = f"See below.\n\n{MARKED['gmail']}\n\nPlease see.\n\n{inner}\n\nHello\n"
    assert [one.author for one in forwarded.find_all(text, "Fwd: Tuesday")] == [JANE, "eve@other.example"]
    assert forwarded.find_all("Hello\n", "Fwd: Tuesday") == ()


def test_a_forward_that_a_reply_quotes_is_none_behind_an_empty_line_either() -> None:
    text = (
        "Thanks.\n\nOn 6/3/24 10:00, Bob wrote:\n>\n"
        "> -------- Forwarded Message --------\n> Subject: X\n> From: Jane <jane@client.example>\n"
    )
    assert forwarded.find(text, "Re: Fwd: X") is None


def test_a_name_without_an_address_is_told_without_one() -> None:
    found = forwarded.find(
        "-----Original Message-----\nFrom: Jane Roe\nSent: 3 June 2024 10:00\nTo: Bob\nSubject: Tuesday\n\nHello\n",
        "FW: Tuesday",
    )
    assert found is not None
    assert (found.author, found.author_name) == (None, "Jane Roe")


def test_who_sends_for_another_is_the_author() -> None:
    header = (
        "From: Jane Roe<mailto:jane@client.example> <jane@client.example> on behalf of desk@client.example\nSent: "
        "Monday\nTo: Bob\nSubject: X"
    )
    found = forwarded.find(f"{header}\n\nHello\n", "FW: X")
    assert found is not None
    assert (found.author, found.author_name) == (JANE, "Jane Roe")


def test_outlook_for_mac_forwards_below_an_attribution() -> None:
    found = forwarded.find(
        'On 03/06/2024 10:00, "Jane Roe" <jane@client.example> wrote:\n\n    Hello\n', "FW: Tuesday", "+0200"
    )
    assert found is not None
    assert (found.author, found.author_name) == (JANE, "Jane Roe")


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("VS: Tuesday", False), ("VL: Tuesday", True)],
)
def test_a_finnish_prefix_means_what_it_means_in_finnish(prefix: str, expected: bool) -> None:
    header = "Lähettäjä: Jane Roe <jane@client.example>\nLähetetty: 3. kesäkuuta 2024 10:00\nVastaanottaja: Bob\nAihe: Tiistai"
    assert (forwarded.find(f"Kiitos.\n\n{header}\n\nHei\n", prefix) is not None) == expected


@pytest.mark.parametrize(
    ("date", "zone", "expected"),
    [
        ("Mon, 3 Jun 2024 10:00:00 +0200", "", NOON),
        ("Monday, June 3, 2024 10:00 AM", "+0200", NOON),
        ("Monday, June 3, 2024 10:00 AM", "", None),
        ("lundi 3 juin 2024 10:00", "+0200", NOON),
        ("03.06.2024 10:00", "+0200", NOON),
        ("2024-06-03 10:00", "+0200", NOON),
        ("06/03/2024 10:00", "+0200", None),  # the 3rd of June, or the 6th of March
        ("06/13/2024 10:00", "+0200", NOON.replace(day=13)),
        ("3 June 2024 at 10:00:00 XYZT", "+0200", None),  # an unknown zone
        ("3 June 2024, 10:00:00 AM GMT+2", "-0500", NOON),
        ("Monday, June 3, 2024 10:00 PM", "+0200", datetime(2024, 6, 3, 20, 0, tzinfo=UTC)),
        ("31 June 2024 10:00", "+0200", None),
        ("yesterday", "+0200", None),
    ],
)
def test_a_date_is_read_where_it_is_certain(date: str, zone: str, expected: datetime | None) -> None:
    found = forwarded.find(
        f"From: Jane <jane@client.example>\nSent: {date}\nTo: Bob\nSubject: X\n\nHello\n", "Fwd: X", zone
    )
    assert found is not None
    assert found.date == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Jane Roe <jane@client.example>", (JANE, "Jane Roe")),
        ('"Roe, Jane" <Jane@Client.example>', (JANE, "Roe, Jane")),
        ("Roe, Jane [mailto:jane@client.example]", (JANE, "Roe, Jane")),
        ("jane@client.example <mailto:jane@client.example>", (JANE, "")),
        ("<jane@client.example>", (JANE, "")),
        ("Jane Roe (jane@client.example)", (JANE, "Jane Roe")),
        ("Jane Roe", (None, "Jane Roe")),
        ("", (None, "")),
    ],
)
def test_a_from_label_tells_address_and_name(value: str, expected: tuple[str | None, str]) -> None:
    assert forwarded.author_of(value) == expected


@given(st.text(max_size=300), st.text(max_size=30), st.text(max_size=6))
def test_any_text_is_read_without_an_exception(text: str, subject: str, zone: str) -> None:
    forwarded.find(f"From: {text}", subject, zone)
    forwarded.find(f"From: a@b.example\nDate: {text}\nSubject: x", subject, zone)
