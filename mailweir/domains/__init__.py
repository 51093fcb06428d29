"""SPF, DKIM and DMARC of a domain as its DNS has them, and what has to be published so that the relay may send for it.

Asks DNS through a resolver that it is given; never writes anywhere, and never asks the database. Called by the command line.
"""
