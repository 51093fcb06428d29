"""The core of Mailweir, on which the daemons and the command line build: it decides about mail, records it and reads it."""

__version__ = "0.1.0"
