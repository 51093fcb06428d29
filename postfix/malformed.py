"""A client of one of our sockets doesn't follow the protocol. Pure. Raised by `socketmap`, `auth` and `auth_protocol`."""


class Malformed(Exception):
    """The input doesn't follow the protocol, or exceeds its limits. The text contains nothing of the input."""
