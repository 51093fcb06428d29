"""A client of one of our sockets doesn't speak its protocol. Pure. Raised by `socketmap` and `auth_protocol`."""


class Malformed(Exception):
    """The input doesn't follow the protocol, or exceeds its limits. The text contains nothing of the input."""
