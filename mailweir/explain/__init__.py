"""Decisions, states and hints as keys with parameters, and their texts for the command line and the page.

Never writes. `keys` lists all explanations; `english` has their texts, from the `english_` modules; `tracking` explains what
happened to a message. The other modules contain no sentences.
"""
