"""The table of daemons, and everything that must agree with it."""

import configparser
import re
from pathlib import Path

import pytest
import yaml

from mailweir import daemons
from mailweir.daemons import ALL, Daemon

REPOSITORY = Path(__file__).parents[2]
ROLE = REPOSITORY / "ansible" / "roles" / "mailweir"


def test_each_has_its_command() -> None:
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].strip().splitlines()
    scripts = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines)
    assert {name: entry for name, entry in scripts.items() if name != "mailweir"} == {
        one.name: one.entry for one in ALL
    }


@pytest.mark.parametrize("daemon", ALL, ids=lambda one: one.name)
def test_each_has_its_unit_which_runs_its_command(daemon: Daemon) -> None:
    unit = (ROLE / "templates" / f"{daemon.unit}.j2").read_text()
    assert re.search(rf"^ExecStart=.*/bin/{re.escape(daemon.name)}$", unit, re.MULTILINE)


def test_the_role_starts_and_stops_these_and_no_others() -> None:
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert sorted(known["mailweir_daemons"]) == sorted(one.unit for one in ALL)
    units = {one["name"]: one["here"] for one in known["mailweir_units"]}
    assert {one.unit for one in ALL} <= set(units)
    on_front_ends = {name for name, here in units.items() if "is_front_end" in str(here) and name.endswith(".service")}
    assert on_front_ends == {one.unit for one in ALL if one.is_on_front_ends}


def test_the_readme_and_the_check_of_a_deployment_name_them() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    script = (REPOSITORY / "scripts" / "check-deployment.sh").read_text()
    for one in daemons.ALL:
        assert f"`{one.name}`" in readme
        assert one.name in script
