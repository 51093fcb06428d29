"""The heart of Mailweir: it defines an activity and records it. Knows no daemon and no socket."""

__version__ = "0.1.0"
