"""Everything around Postfix: its templates, the private instance, and the server that answers its look-ups.

Never opens mail. Imports the heart (`mailweir`), and is imported by `admin_cli` only.
"""
