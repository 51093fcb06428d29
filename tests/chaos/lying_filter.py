"""`mailweir-milter` with the worst of faults: it acknowledges what it couldn't write. test_chaos.py wants it seen."""

import milter
from capture_milter import server
from capture_milter.session import Session

Session._try_again = lambda session, error: milter.DISCARD  # type: ignore[assignment, method-assign]
server.main()
