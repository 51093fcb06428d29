"""The page in German: each of its texts has a fitting translation, and a German reader gets it."""

import re
import string
from collections.abc import Iterable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from mailweir.explain import english
from mailweir.explain.explanation import explain
from mailweir.explain.keys import PARAMETERS
from mailweir.store.web.accounts import Role
from scripts import update_translations
from tests.held_mail import send
from tests.page import Page
from webapp import explained, languages

FILE = languages.FOLDER / "de" / "messages.po"
IN_GERMAN = {"Accept-Language": "de-DE,de;q=0.9"}
PLACE = re.compile(r"%\(\w+\)[sd]")


def catalogue() -> Catalog:
    """The tree's current catalogue."""
    with FILE.open("rb") as source:
        return read_po(source, locale="de", abort_invalid=True)


def ids(found: Iterable[Message]) -> set[tuple[str, ...]]:
    """The English texts; a text with a plural is a pair."""
    return {forms(one.id) for one in found if one.id}


def forms(text: object) -> tuple[str, ...]:
    """Singular and plural, or the only text."""
    return (text,) if isinstance(text, str) else tuple(text) if isinstance(text, list | tuple) else ()


def places(text: str) -> list[str]:
    """The names of the filled-in values, each once: `%(name)s`."""
    return sorted(set(PLACE.findall(text)))


def fields(template: str) -> list[tuple[str, str]]:
    """The names in braces with their formats."""
    return sorted({(name, form or "") for _, name, form, _ in string.Formatter().parse(template) if name is not None})


def preferring_german(page: Page, name: str = "richard") -> Page:
    """The page, with an account that has chosen German."""
    page.browser(name).post("/account/preferences", {"zone": "Europe/Berlin", "language": "de"})
    return page


def test_every_text_has_an_entry_and_no_entry_lacks_a_text() -> None:
    texts, entries = ids(update_translations.texts()), ids(catalogue())
    assert texts - entries == set(), "run `make translations`, and translate what is new"
    assert entries - texts == set(), "run `make translations`"
    assert not catalogue().obsolete


def test_no_entry_is_empty_or_a_guess() -> None:
    assert [one.id for one in catalogue() if one.id and not all(forms(one.string) or ("",))] == []
    assert [one.id for one in catalogue() if one.id and one.fuzzy] == []


def test_what_is_filled_in_is_the_same_in_both_languages() -> None:
    pairs = [
        (english_text, german)
        for one in catalogue()
        if one.id
        # one plural form of English for each German form: both languages have two
        for english_text, german in zip(forms(one.id), forms(one.string), strict=True)
    ]
    assert [pair for pair in pairs if places(pair[0]) != places(pair[1])] == []
    assert [german for _, german in pairs if "%" in PLACE.sub("", german) and "{" not in german] == []


@pytest.mark.parametrize("key", sorted(english.WORDS))
def test_an_explanation_takes_the_same_parameters_in_german(key: str) -> None:
    template = explained.template(key)
    german = languages.catalogue("de").gettext(template)
    assert fields(german) == fields(template)
    assert {name for name, _ in fields(german)} <= PARAMETERS[key]


def test_the_plural_is_german() -> None:
    found = languages.catalogue("de")
    hours = [found.ngettext("%(num)d hour ago", "%(num)d hours ago", count) for count in (0, 1, 2)]
    assert hours == ["vor %(num)d Stunden", "vor %(num)d Stunde", "vor %(num)d Stunden"]
    assert catalogue().num_plurals == 2


def test_english_is_the_texts_themselves() -> None:
    assert languages.catalogue("en").gettext("To-dos") == "To-dos"


def test_the_browsers_language_counts_where_none_was_chosen(sqlite_page: Page) -> None:
    sign_in = sqlite_page.browser("richard").get("/account", headers=IN_GERMAN).get_data(as_text=True)
    assert '<html lang="de">' in sign_in
    assert "Wo Sie angemeldet sind" in sign_in


def test_a_chosen_language_counts_more_than_the_browsers(sqlite_page: Page) -> None:
    shown = preferring_german(sqlite_page).browser("richard").get("/todos", headers={"Accept-Language": "en"})
    assert "Nichts zu tun." in shown.get_data(as_text=True)


def test_a_message_is_shown_in_german_with_its_day_and_its_explanations(sqlite_page: Page) -> None:
    number = sqlite_page.deliver()
    shown = preferring_german(sqlite_page).browser("richard").text(f"/activities/{number}")
    assert "Montag, 23. November 2026" in shown
    assert "nicht belegt: sie hat keine Signatur" in shown
    assert "alle dürfen sie lesen" in shown


def test_why_answers_in_german(sqlite_page: Page) -> None:
    stranger = b"From: ann@nobody.example\r\nTo: richard@firm.example\r\nSubject: x\r\n\r\nx\r\n"
    send(sqlite_page.database, stranger, recipients="richard@demo.example.net", at=sqlite_page.clock())
    shown = preferring_german(sqlite_page).browser("richard").text("/why?q=ann@nobody.example")
    assert "der Verfasser ann@nobody.example ist kein Kontakt von demo" in shown


def test_what_came_by_mail_is_no_template_in_german_either(sqlite_page: Page) -> None:
    hostile = explain("decision.unknown_author", author="{deployment.__class__}%(x)s", deployment="demo")
    with sqlite_page.app.test_request_context(headers=IN_GERMAN):
        assert explained.said(hostile) == "der Verfasser {deployment.__class__}%(x)s ist kein Kontakt von demo"


def test_updating_keeps_translations_and_brings_what_is_new(tmp_path: Path) -> None:
    file = tmp_path / "messages.po"
    file.write_text('# Words\nmsgid ""\nmsgstr ""\n\nmsgid "To-dos"\nmsgstr "Aufgaben"\n\nmsgid "gone"\nmsgstr "weg"\n')
    lacking = update_translations.update(file, "de")
    written = file.read_text(encoding="utf-8")
    assert lacking == len(ids(update_translations.texts())) - 1
    assert written.startswith("# Words\n")
    assert 'msgid "To-dos"\nmsgstr "Aufgaben"\n' in written
    assert "weg" not in written


def test_updating_again_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "messages.po"
    file.write_bytes(FILE.read_bytes())
    assert update_translations.update(file, "de") == 0
    first = file.read_text(encoding="utf-8")
    update_translations.update(file, "de")
    assert file.read_text(encoding="utf-8") == first


def test_findings_are_german_and_nothing_is_marked_as_english(sqlite_page: Page) -> None:
    sqlite_page.clock.pass_by(9 * 86_400)  # a new user has some days to begin forwarding
    shown = sqlite_page.browser("boss", Role.ADMIN).get("/admin/health", headers=IN_GERMAN).get_data(as_text=True)
    assert "<span>Weg Weiterleitung: noch keine E-Mail erfasst</span>" in shown
    assert "<span>richard: es wurde nie eine weitergeleitete E-Mail gesehen</span>" in shown
    assert '<span lang="en">' not in shown
