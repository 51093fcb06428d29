"""A client of one of our sockets doesn't speak its protocol. Pure. Raised by `socketmap` and `auth_protocol`."""


class Malformed(Exception):
    """What was sent is none of the protocol, or more than it allows. Its text holds nothing of what was sent."""
