"""Benchmarks of the whole system against Postfix alone and a no-op filter. Never part of an installation."""
