"""Makes the table of ten mails of the shared corpus and their readings in docs/engineering/reading.md.

    python -m bench.ten_mails            prints the table
    python -m bench.ten_mails --write    puts it into docs/engineering/reading.md

The table has counts, labels and kinds, and no text of the mails.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from bench.accuracy import fixtures
from mailweir.reading import message
from mailweir.reading.reading import Reading

PAGE = Path(__file__).parents[1] / "docs" / "engineering" / "reading.md"
BEGIN, END = "<!-- ten mails: begin -->\n", "<!-- ten mails: end -->\n"
_MAIL = "mikel+mail/spec__fixtures__emails__"
_ENMIME = "jhillyerd+enmime/"
_STALWART = "stalwartlabs+mail-parser/resources__eml__"
MAILS = (
    (f"{_MAIL}plain_emails__raw_email8.eml", "forwarded by hand"),
    (f"{_MAIL}attachment_emails__attachment_message_rfc822.eml", "forwarded, and a message attached"),
    (f"{_STALWART}thirdparty__015.eml", "forwarded, and three messages attached"),
    (f"{_MAIL}error_emails__content_transfer_encoding_x_uuencode.eml", "a file in uuencode"),
    (f"{_MAIL}error_emails__content_transfer_encoding_with_8bits.eml", "HTML alone"),
    (f"{_STALWART}thirdparty__014.eml", "a list's mail"),
    (f"{_ENMIME}dsn__testdata__dsn_with_multipart_alternative.raw", "a bounce"),
    (f"{_ENMIME}testdata__mail__mime-signed.raw", "signed"),
    (f"{_ENMIME}testdata__parts__unquoted-ctype-param-special.raw", "a calendar without content"),
    (f"{_STALWART}legacy__015.eml", "text, HTML and four images"),
)  # fmt: skip


def table(folder: Path) -> str:
    """The rows, in Markdown. Errors: OSError, if a mail is missing."""
    head = "| mail | it is | text | folded away | HTML | files | labels | original |\n|" + " --- |" * 8 + "\n"
    return head + "".join(_row(name, kind, message.read((folder / name).read_bytes())) for name, kind in MAILS)


def _row(name: str, kind: str, found: Reading) -> str:
    folded = Counter(str(one.kind) for one in found.folds)
    cells = (
        f"`{name}`",
        kind,
        f"lines: {len(found.text.splitlines())}, characters: {len(found.text):,}",
        ", ".join(f"{count} {one}" for one, count in sorted(folded.items())),
        f"images from afar taken out: {found.view.remote_images}" if found.view else "",
        ", ".join(
            f"{count} {one}" for one, count in sorted(Counter(one.media_type for one in found.attachments).items())
        ),
        ", ".join(sorted(map(str, found.labels))),
        f"at character {found.original.start:,}, {'dated' if found.original.date else 'no date'}"
        if found.original
        else "",
    )
    return f"| {' | '.join(cell or '–' for cell in cells)} |\n"


def main() -> int:
    """0; 1 if the corpus is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/engineering/reading.md")
    arguments = parser.parse_args()
    try:
        made = table(fixtures.corpus())
    except OSError as error:
        print(f"A mail of the shared corpus is missing: {error}", file=sys.stderr)
        return 1
    if arguments.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + made + END + rest.partition(END)[2], "utf-8")
    else:
        print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
