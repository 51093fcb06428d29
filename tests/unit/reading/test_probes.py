"""What is folded of many programs' mails in many languages, and whom forwarded ones name: `probes/` holds them."""

import pytest

from mailweir.reading import folds
from tests.unit.reading import probes
from tests.unit.reading.probes import Probe

REPLIES = probes.of("replies.txt")
TRAPS = probes.of("traps.txt")


@pytest.mark.parametrize("probe", [*REPLIES, *TRAPS], ids=lambda probe: probe.name)
def test_what_is_shown_of_a_mail(probe: Probe) -> None:
    found = folds.find(probe.text, probe.told_once("subject"))
    assert probes.shown(probe.text, found) == probe.shown
    assert [fold.kind for fold in found] == probe.kinds
