"""DMARC records: valid ones, near-records with the reason, and unreadable parts of valid records."""

import time

import pytest

from mailweir.domains import dmarc_record


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none",
        "V=DMARC1; p=none",
        "v = DMARC1 ;p=none",
        "v\t=\tDMARC1\t;",
        "v=DMARC1",
        "v=DMARC1;P=Reject;SP=none;;",
    ],
)
def test_what_counts(text: str) -> None:
    assert dmarc_record.counts(text)
    assert not dmarc_record.is_near(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("v=DMARC1 p=none", "no ; follows"),
        ("v=DMARC1, p=none", "no ; follows"),
        ("v=DMARC1: p=none", "no ; follows"),
        (" v=DMARC1; p=none", "precedes v=DMARC1"),
        ("\tv=DMARC1; p=none", "characters"),
        ("\u00a0v=DMARC1; p=none", "characters"),
        ("v=DMARC1\u00a0; p=none", "characters"),
        ("\ufeffv=DMARC1; p=none", "characters"),
        ("v=DMARC1\uff1b p=none", "characters"),
        ('"v=DMARC1; p=none"', "quotes"),
        ("'v=DMARC1; p=none", "quotes"),
        ("\u201cv=DMARC1; p=none\u201d", "quotes"),
        ("v=DMARC1\\; p=none", "backslashes"),
        ("v=dmarc1; p=none", "in capitals"),
        ("v=Dmarc1; p=none", "in capitals"),
        ("v=DMARC; p=none", "in capitals"),
        ("v=DMARC2; p=none", "in capitals"),
        ("v=DMARC 1; p=none", "in capitals"),
        ("v=DMRAC1; p=none", "in capitals"),
        ("v=DMARCI; p=none", "in capitals"),
        ("DMARC1; p=none", "is missing"),
        ("p=none; rua=mailto:a@client.example", "is missing"),
        ("p=none; v=DMARC1", "come first"),
    ],
)
def test_what_is_nearly_one_and_why(text: str, why: str) -> None:
    value = text.encode().decode("latin-1")
    assert not dmarc_record.counts(value)
    assert dmarc_record.is_near(value)
    assert why in dmarc_record.why_not(value)


@pytest.mark.parametrize(
    "text", ["v=spf1 -all", "", "google-site-verification=p", "v=DKIM1; p=MIIB", "v=TLSRPTv1; rua=mailto:a@b.c"]
)
def test_what_is_not_even_nearly_one(text: str) -> None:
    assert not dmarc_record.is_near(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("v=DMARC1; p=none, rua=mailto:a@b.example", "p=none, rua=mailto:a@b.example is unknown"),
        ("v=DMARC1; p=reject rua=mailto:a@b.example", "a ; seems to be missing"),
        ("v=DMARC1; p=sometimes", "is unknown"),
        ("v=DMARC1; p=none; sp=off", "sp=off"),
        ("v=DMARC1; p=none; np=off", "np=off"),
        ("v=DMARC1; rua=mailto:a@b.example", "no policy"),
        ("v=DMARC1; p=none; p=reject", "p= occurs twice"),
        ("v=DMARC1; p:none", "'p:none' is not a tag"),
        ("v=DMARC1; p=none; aspf=strict", "aspf=strict"),
        ("v=DMARC1; p=none; t=yes", "t=yes"),
        ("v=DMARC1; p=none; psd=", "psd="),
        ("v=DMARC1; p=none; rua=a@b.example", "other than a mailto:"),
    ],
)
def test_what_can_not_be_read_is_told(text: str, says: str) -> None:
    record = dmarc_record.parse(text)
    assert any(says in fault for fault in record.faults), record.faults


def test_what_is_usual_has_no_fault() -> None:
    text = (
        "v=DMARC1; p=Reject; sp=none; np=quarantine; pct=20; rua=mailto:a@b.example!10m , mailto:c@d.example; "
        "fo=1; t=Y; psd=n; adkim=S; x=1;"
    )
    record = dmarc_record.parse(text)
    assert record.faults == ()
    assert (record.policy("p"), record.policy("np", "sp", "p"), record.policy("x", "p")) == (
        "reject",
        "quarantine",
        "none",
    )
    assert record.has("t", "y")
    assert record.has("adkim", "s")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "v=DMARC1" + " " * 60_000 + "x",
            "v=DMARC1; p=" + " " * 60_000 + "x",
            "v=DMARC1;" + ";" * 60_000,
            "v" + " " * 60_000,
        ),
        *("\\" * 60_000, "d a m r " * 8_000, "v=DMARC1; rua=" + "mailto:a" * 8_000, "v=DMARC1;p" + "\t" * 60_000),
    ],
    ids=lambda text: repr(text[:14]),
)
def test_a_hostile_record_is_read_fast(text: str) -> None:
    begun = time.process_time()
    dmarc_record.is_near(text)
    dmarc_record.why_not(text)
    dmarc_record.parse(text)
    assert time.process_time() - begun < 1
