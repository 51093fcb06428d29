"""Everything around Postfix: its configuration, the private instance, the servers for its look-ups and logins, and its log.

Never opens mail. Imports `mailweir`, and is imported by `admin_cli` and the benchmarks only.
"""
