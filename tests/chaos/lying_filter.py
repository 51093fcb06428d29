"""`mailweir-milter` with the worst fault: it acknowledges messages that it couldn't write. test_chaos.py expects this to be
detected."""

import milter
from capture_milter import server
from capture_milter.session import Session

Session._try_again = lambda session, error: milter.DISCARD  # type: ignore[assignment, method-assign]
server.main()
