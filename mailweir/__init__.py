"""The heart of Mailweir: what an activity is and how it is recorded. Knows no daemon and no socket."""

__version__ = "0.1.0"
