"""`mailweir-milter` with a fault: it is killed with -9 once, between its commit and its answer to a redirected confirmation.

Started by `mailweir up` in the filter's place (test_confirmation.py puts it there). The file `victim`, in the filter's working
folder, arms it and names the process to kill: `worker` or `parent`.
"""

import os
import signal
import time
from pathlib import Path

from capture_milter import server
from capture_milter.handling import Answer
from capture_milter.session import Session

VICTIM = Path("victim")
_carry_out = Session._carry_out


def _die_once(session: Session, answer: Answer) -> int:
    if answer.add and VICTIM.exists():
        victim = VICTIM.read_text()
        VICTIM.unlink()
        os.kill(os.getppid() if victim == "parent" else os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return _carry_out(session, answer)


Session._carry_out = _die_once  # type: ignore[assignment, method-assign]
server.main()
