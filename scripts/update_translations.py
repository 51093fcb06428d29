"""Updates the page's catalogues from its texts: new texts are added without a translation, removed ones are deleted.

Translations stay as they are, and so does the glossary at a catalogue's top. Called by `make translations`; tests compare a
catalogue with what `texts` finds.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from mailweir.explain import english
from webapp import explained

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "webapp"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
# by default, the texts of a template that can't be read would be left out silently
OPTIONS = {"templates/**.html": {"silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
# Code that makes sentences which the page may show
_PYTHON = METHODS[:1]
SENTENCES = {
    **dict.fromkeys(("mailweir", "milter", "gmail_sync", "admin_cli"), _PYTHON),
    "webapp": [("job_kinds/**.py", "python"), ("work.py", "python")],
}
MARKS = {"said": None, "template": None}
# Fields of the header that change each time, or that name nobody
_LEFT_OUT = (
    *("POT-Creation-Date", "PO-Revision-Date", "Generated-By", "Project-Id-Version"),
    *("Report-Msgid-Bugs-To", "Last-Translator", "Language-Team"),
)
_WIDTH = 110


def texts() -> Catalog:
    """All texts of the page: of its own code and templates, sentences of other packages, and explanations."""
    found = Catalog()
    for file, _, text, comments, context in extract_from_dir(PAGE, METHODS, OPTIONS, KEYWORDS):
        found.add(text, locations=[(f"webapp/{file}", 0)], auto_comments=comments, context=context)
    for folder, methods in SENTENCES.items():
        for file, _, text, comments, context in extract_from_dir(REPOSITORY / folder, methods, {}, MARKS):
            found.add(text, locations=[(f"{folder}/{file}", 0)], auto_comments=comments, context=context)
    for key in english.WORDS:
        found.add(explained.template(key), auto_comments=[key])
    return found


def update(file: Path, language: str) -> int:
    """Writes a catalogue anew. Returns how many texts it has no translation of."""
    with file.open("rb") as source:
        catalogue = read_po(source, locale=language)
    # gettext's guess would look like a real translation
    catalogue.update(texts(), no_fuzzy_matching=True)
    written = io.BytesIO()
    write_po(written, catalogue, width=_WIDTH, ignore_obsolete=True, include_lineno=False)
    left_out = tuple(f'"{name}: ' for name in _LEFT_OUT)
    lines = written.getvalue().decode().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith(left_out)), encoding="utf-8")
    return sum(not _is_translated(one) for one in catalogue if one.id)


def _is_translated(message: Message) -> bool:
    forms = message.string
    return all(forms) if isinstance(forms, tuple | list) else bool(forms)


def main() -> None:
    """Updates all existing catalogues."""
    for file in sorted(PAGE.glob("translations/*/messages.po")):
        language = file.parent.name
        print(f"{language}: {update(file, language)} texts without a translation")


if __name__ == "__main__":
    main()
