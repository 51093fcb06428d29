"""Decisions, states and hints as keys with parameters, which each edge (command line, page, API) turns into its own words.

Never holds a sentence, and never writes. `keys` lists what there is to say; `tracking` answers what became of a message.
"""
