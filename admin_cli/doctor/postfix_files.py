"""Postfix: is it the version that the templates need, and is its configuration what they render for the settings?"""

from collections.abc import Iterator

from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.settings import Settings
from postfix import instance, rendering
from postfix.instance import Account

AREA = "postfix"


def check(settings: Settings) -> Iterator[Finding]:
    """main.cf and master.cf, byte by byte."""
    instance.check_installed()
    try:
        account = Account.named(settings.run_as)
    except KeyError:
        return  # said of the settings
    wanted = rendering.render(settings, run_as_uid=account.uid, run_as_gid=account.gid)
    config_dir = rendering.Places.of(settings).config_dir
    take_up = advice.take_up_settings(settings)
    for name, text in (("main.cf", wanted.main_cf), ("master.cf", wanted.master_cf)):
        file = config_dir / name
        try:
            there = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            yield wrong(AREA, f"there is no {file}", f"{take_up}: that makes it", key="postfix.no_file", file=str(file))
        except OSError as error:
            yield note(
                AREA,
                f"can't read {file}: {error.strerror}",
                "run 'mailweir doctor' as root",
                key="postfix.closed",
                file=str(file),
            )
        else:
            yield _compared(file.name, text, there, take_up)


def _compared(name: str, wanted: str, there: str, take_up: str) -> Finding:
    if wanted == there:
        return ok(AREA, f"{name} is what the settings say", key="postfix.file_fine", file=name)
    want, have = set(wanted.splitlines()), there.splitlines()
    odd = next((line for line in have if line not in want), "a line is missing")
    return wrong(
        AREA,
        f"{name} is not what the settings say, from '{odd.strip()}' on: it was changed by hand, or by another version",
        f"change the settings instead, and {take_up}: that makes the file anew",
        key="postfix.file_changed",
        file=name,
        line=odd.strip(),
    )
