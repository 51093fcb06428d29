"""Measurements of the whole against Postfix alone and a filter that does nothing. Never part of an installation."""
