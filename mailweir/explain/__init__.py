"""Decisions, states and hints as keys with parameters, and their words: once for the command line, the page and the API.

Never writes. `keys` lists all explanations, and `english` has their text; `tracking` explains what happened to a message. The
other modules hold no sentence.
"""
