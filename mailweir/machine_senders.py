"""Addresses that programs write from, by their local parts: nobody reads `noreply@`.

Pure. Called before mail makes a contact. Standard library only.
"""

import re

from mailweir import address

_BETWEEN = re.compile(r"[-_.]")
_NAMES = frozenset(
    {
        *(
            "abuse",
            "alert",
            "alerts",
            "automailer",
            "autoreply",
            "autoresponder",
            "bounce",
            "bounces",
            "daemon",
            "donotreply",
        ),
        *("donotrespond", "dontreply", "hostmaster", "listserv", "mailer", "mailerdaemon", "majordomo", "newsletter"),
        *(
            "newsletters",
            "nobody",
            "noreply",
            "noresponse",
            "notification",
            "notifications",
            "notify",
            "postmaster",
            "root",
        ),
        *("undisclosedrecipients", "unsubscribe"),
    }
)
_BEGINNINGS = ("noreply", "donotreply", "mailerdaemon", "bounce", "msprvs", "prvs=", "srs0=", "srs1=")
_ENDS = ("noreply", "donotreply", "request", "bounces", "unsubscribe")


def is_machine(normal: str) -> bool:
    """Is it a program's address? normal: an address in normal form."""
    local, _ = address.split(normal)
    name = _BETWEEN.sub("", local.partition("+")[0])
    return name in _NAMES or name.startswith(_BEGINNINGS) or name.endswith(_ENDS)
