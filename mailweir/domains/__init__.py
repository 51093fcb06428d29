"""SPF, DKIM and DMARC of a domain as found in DNS, and the records to publish so that the relay may send for it.

Queries DNS through a given resolver; never writes anywhere, and never asks the database. Called by the command line, the page and
the checks of health.
"""
