"""The folds of many programs' mails in many languages, and the authors of forwarded mails: `probes/` has them."""

from itertools import takewhile

import pytest

from mailweir.reading import folds, forwarded, message
from mailweir.reading.folds import FoldKind
from mailweir.reading.forwarded import Original
from tests import reading_probes as probes
from tests.reading_probes import Probe

REPLIES = [*probes.of("replies.txt"), *probes.of("later.txt")]
TRAPS = [*probes.of("traps.txt"), *probes.of("ends.txt")]
FORWARDS = [*probes.of("forwards.txt"), *probes.of("chains.txt"), *probes.of("later_forwards.txt")]
HTML = probes.of("html.txt")


@pytest.mark.parametrize("probe", [*REPLIES, *TRAPS], ids=lambda probe: probe.name)
def test_what_is_shown_of_a_mail(probe: Probe) -> None:
    found = folds.find(probe.text, probe.told_once("subject"))
    assert probes.shown(probe.text, found) == probe.shown
    assert [fold.kind for fold in found] == probe.kinds


def originals(probe: Probe) -> list[str]:
    """The findings of `forwarded` in the form of the probes."""
    found = forwarded.find_all(
        probe.text, probe.told_once("subject"), probe.told_once("zone") or "+0200", is_meant="meant" in probe.told
    )
    return [told(one) for one in found]


def told(one: Original) -> str:
    return f"{one.author} | {one.author_name} | {one.date.isoformat() if one.date else '-'} | {one.subject}"


@pytest.mark.parametrize("probe", FORWARDS, ids=lambda probe: probe.name)
def test_whose_a_forwarded_message_is(probe: Probe) -> None:
    assert originals(probe) == probe.told.get("original", [])


@pytest.mark.parametrize("probe", [one for one in FORWARDS if "meant" not in one.told], ids=lambda probe: probe.name)
def test_of_a_forwarded_message_the_header_is_folded(probe: Probe) -> None:
    found = folds.find(probe.text, probe.told_once("subject"))
    assert probes.shown(probe.text, found) == probe.shown


@pytest.mark.parametrize("probe", FORWARDS, ids=lambda probe: probe.name)
def test_a_forward_begins_with_its_header(probe: Probe) -> None:
    found = forwarded.find_all(probe.text, probe.told_once("subject"), is_meant="meant" in probe.told)
    head = "".join(f"{line}\n" for kind, line in takewhile(lambda row: row[0] is not FoldKind.FORWARDED, probe.lines))
    starts = [*(one.start for one in found), len(probe.text)]
    assert probe.text[: starts[0]].split() == head.split()


@pytest.mark.parametrize("subject", ["", "Re: Offer"])
@pytest.mark.parametrize("probe", REPLIES, ids=lambda probe: probe.name)
def test_no_reply_is_taken_for_a_forward(probe: Probe, subject: str) -> None:
    assert forwarded.find(probe.text, subject or probe.told_once("subject")) is None
    assert forwarded.find(probe.text, subject) is None


@pytest.mark.parametrize("probe", HTML, ids=lambda probe: probe.name)
def test_what_is_shown_of_a_mail_in_html(probe: Probe) -> None:
    found = message.read(probes.mail(probe))
    assert probes.shown(found.text, found.folds) == probe.shown


@pytest.mark.parametrize("probe", HTML, ids=lambda probe: probe.name)
def test_whose_a_message_forwarded_in_html_is(probe: Probe) -> None:
    found = message.read(probes.mail(probe)).original
    assert [told(one) for one in [found] if one] == probe.told.get("original", [])
