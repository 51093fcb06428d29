"""Postfix: does its version fit the templates, and is its configuration the one from the settings?"""

from collections.abc import Iterator

from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from postfix import instance, rendering
from postfix.instance import Account

AREA = "postfix"


def check(settings: Settings) -> Iterator[Finding]:
    """Compares main.cf and master.cf with the files that the settings make, byte by byte."""
    instance.check_installed()
    try:
        account = Account.named(settings.run_as)
    except KeyError:
        return  # the check of the settings reports that
    wanted = rendering.render(settings, run_as_uid=account.uid, run_as_gid=account.gid)
    config_dir = rendering.Places.of(settings).config_dir
    take_up = advice.take_up_settings(settings)
    for name, text in (("main.cf", wanted.main_cf), ("master.cf", wanted.master_cf)):
        file = config_dir / name
        try:
            there = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            yield wrong(
                AREA,
                said("there is no {file}", file=file),
                said("{take_up}: that creates it", take_up=take_up),
                key="postfix.no_file",
                file=str(file),
            )
        except OSError as error:
            yield note(
                AREA,
                said("can't read {file}: {strerror}", file=file, strerror=error.strerror),
                said("run 'mailweir doctor' as root"),
                key="postfix.closed",
                file=str(file),
            )
        else:
            yield _compared(file.name, text, there, take_up)


def _compared(name: str, wanted: str, there: str, take_up: str) -> Finding:
    if wanted == there:
        return ok(AREA, said("{name} matches the settings", name=name), key="postfix.file_fine", file=name)
    want, have = set(wanted.splitlines()), there.splitlines()
    odd = next((line for line in have if line not in want), "a line is missing")
    return wrong(
        AREA,
        said(
            "{name} differs from the settings, from '{odd}' on: it was changed by hand, or by another version",
            name=name,
            odd=odd.strip(),
        ),
        said("change the settings instead, and {take_up}: that writes the file again", take_up=take_up),
        key="postfix.file_changed",
        file=name,
        line=odd.strip(),
    )
