"""Decisions, states and hints as keys with parameters, and their words: once for the command line, the page and the API.

Never writes. `keys` lists what there is to say, and `english` says it; `tracking` answers what became of a message. The others
hold no sentence.
"""
