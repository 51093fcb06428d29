"""The admin's pages of the domains from which users send: SPF, DKIM and DMARC as DNS has them now, records to publish, and keys.

DNS is asked only about domains of the deployment: domains with a key, and domains of users' addresses. The page seals a new
private key and can't open it. If the database has no public key for sealing, the page shows the command instead.
"""

from collections.abc import Callable

import flask
from flask_babel import gettext
from werkzeug.wrappers import Response

from mailweir import address, free_mail, signing_keys
from mailweir.domains import summary
from mailweir.errors import BadInput, DnsUnavailable, NotFound
from mailweir.secrets_file import Sealer
from mailweir.signing_keys import Unpublished
from mailweir.store.gmail import sealing_keys
from mailweir.store.people import dkim_keys, users
from mailweir.store.people.dkim_keys import DkimKey, State
from webapp import changes, domain_looks, forms, here, spoken
from webapp.access import Access, open_to

blueprint = flask.Blueprint("domains", __name__)


@blueprint.get("/admin/domains")
@open_to(Access.ADMIN)
def page() -> str:
    """The domains with their keys. DNS isn't asked here."""
    return _list()


@blueprint.post("/admin/domains")
@open_to(Access.ADMIN)
def add() -> Response | tuple[str, int]:
    """Makes a domain's first key, which signs at once."""
    typed = forms.text("domain", 253)
    made: list[DkimKey] = []

    def do() -> None:
        sealer = _sealer()
        with here.database().transaction():
            made.append(signing_keys.make(here.database(), here.deployment(), typed, None, sealer, here.now()))
            changes.note("dkim.added", made[0].domain, made[0].selector)

    fault = forms.fault_of(do)
    if fault:
        return _list(fault), 400
    return flask.redirect(flask.url_for("domains.one", domain=made[0].domain, done="added"), 303)


@blueprint.get("/admin/domains/<domain>")
@open_to(Access.ADMIN)
def one(domain: str) -> str:
    """One domain, as DNS has it at this moment."""
    return _one(_known(domain))


@blueprint.post("/admin/domains/<domain>/rotate")
@open_to(Access.ADMIN)
def rotate(domain: str) -> Response | tuple[str, int]:
    """Makes the next key. The old one signs until the next one is activated."""
    name = _with_key(domain)

    def do() -> None:
        sealer = _sealer()
        with here.database().transaction():
            made, gone = signing_keys.make_next(here.database(), here.deployment(), name, None, sealer, here.now())
            changes.note("dkim.next", name, made.selector)
            for key in gone:
                changes.note("dkim.removed", name, key.selector)

    return _done(name, do, "added")


@blueprint.post("/admin/domains/<domain>/activate")
@open_to(Access.ADMIN)
def activate(domain: str) -> Response | tuple[str, int]:
    """Makes the next key sign, if its record is published in DNS."""
    name = _with_key(domain)
    settings = here.site().settings

    def do() -> None:
        waiting = _next(name)
        try:
            signing_keys.refuse_unpublished(waiting, lambda at: domain_looks.published(settings, at))
        except Unpublished as error:
            said = gettext("%(name)s in DNS: %(fault)s", name=error.name, fault=spoken.spoken(error.fault))
            raise BadInput(said) from error
        except DnsUnavailable as error:
            said = gettext("DNS gave no answer, so it isn't known if the key is published: try again later")
            raise BadInput(said) from error
        with here.database().transaction():
            dkim_keys.activate(here.database(), here.deployment(), name, waiting.selector, here.now())
            changes.note("dkim.activated", name, waiting.selector)

    return _done(name, do, "saved")


@blueprint.post("/admin/domains/<domain>/remove-key")
@open_to(Access.ADMIN)
def remove_key(domain: str) -> Response | tuple[str, int]:
    """Removes a retired key, or a next key that isn't wanted any more."""
    name, selector = _with_key(domain), forms.text("selector", 63)

    def do() -> None:
        keys = dkim_keys.keys_of(here.database(), here.deployment(), name)
        if any(key.selector == selector and key.state is State.ACTIVE for key in keys):
            raise BadInput(gettext("this key signs: sign with another key first"))
        with here.database().transaction():
            gone = dkim_keys.remove_key(here.database(), here.deployment(), name, selector)
            changes.note("dkim.removed", name, gone.selector)

    return _done(name, do, "removed")


@blueprint.get("/admin/domains/<domain>/remove")
@open_to(Access.ADMIN)
def ask_removal(domain: str) -> str:
    """Asks for confirmation, and shows everything that ends with the domain."""
    return _removal(_with_key(domain))


@blueprint.post("/admin/domains/<domain>/remove")
@open_to(Access.ADMIN)
def remove(domain: str) -> Response | tuple[str, int]:
    """Removes a domain with all its keys, if the admin typed the domain."""
    name = _with_key(domain)
    if forms.text("typed").lower() != name:
        return _removal(name, is_mistyped=True), 400
    with here.database().transaction():
        gone = dkim_keys.remove(here.database(), here.deployment(), name)
        changes.note("domain.removed", name, ", ".join(key.selector for key in gone))
    return flask.redirect(flask.url_for("domains.page", done="removed"), 303)


def _keys() -> dict[str, list[DkimKey]]:
    """The deployment's keys, by domain."""
    found: dict[str, list[DkimKey]] = {}
    for key in dkim_keys.list_keys(here.database(), here.deployment()):
        found.setdefault(key.domain, []).append(key)
    return found


def _domains_of_users() -> set[str]:
    """The domains of users' addresses, except those of providers of free mail: nobody here controls their DNS."""
    found = users.list_all(here.database(), here.deployment())
    domains = {address.split(one)[1] for user in found for one in user.addresses}
    return {one for one in domains if not free_mail.is_free(one)}


def _known(domain: str) -> str:
    """The domain, if it is the deployment's. NotFound for others, so that DNS is never asked about them."""
    if domain in _keys() or domain in _domains_of_users():
        return domain
    raise NotFound(gettext("there is no such domain"))


def _with_key(domain: str) -> str:
    if domain in _keys():
        return domain
    raise NotFound(gettext("there is no such domain"))


def _next(domain: str) -> DkimKey:
    keys = dkim_keys.keys_of(here.database(), here.deployment(), domain)
    waiting = next((key for key in keys if key.state is State.NEXT), None)
    if waiting is None:
        raise BadInput(gettext("there is no next key: create it first"))
    return waiting


def _sealer() -> Sealer:
    """The sealer of private keys. BadInput if the database has no public key for sealing."""
    public = sealing_keys.find(here.database())
    if public is None:
        raise BadInput(gettext("this page can't store a private key yet: use the command that is shown"))
    return Sealer(public)


def _done(domain: str, do: Callable[[], None], said: str) -> Response | tuple[str, int]:
    fault = forms.fault_of(do)
    if fault:
        return _one(domain, fault), 400
    known = domain in _keys() or domain in _domains_of_users()
    way = flask.url_for("domains.one", domain=domain, done=said) if known else flask.url_for("domains.page", done=said)
    return flask.redirect(way, 303)


def _list(fault: str = "") -> str:
    keys = _keys()
    return flask.render_template(
        "admin/domains.html",
        keys=keys,
        without=sorted(_domains_of_users() - set(keys)),
        can_seal=sealing_keys.find(here.database()) is not None,
        is_signing=here.site().settings.dkim.sign,
        fault=fault,
        given=flask.request.form,
    )


def _removal(domain: str, *, is_mistyped: bool = False) -> str:
    keys = _keys()[domain]
    found = users.list_all(here.database(), here.deployment())
    return flask.render_template(
        "admin/domain_removal.html",
        domain=domain,
        records=[signing_keys.record(key).name for key in keys],
        signs=any(key.state is State.ACTIVE for key in keys),
        users=[one.username for one in found if any(address.split(each)[1] == domain for each in one.addresses)],
        retired_days=dkim_keys.RETIRED_DAYS,
        is_mistyped=is_mistyped,
    )


def _one(domain: str, fault: str = "") -> str:
    keys = _keys().get(domain, [])
    can_seal = sealing_keys.find(here.database()) is not None
    settings, deployment = here.site().settings, here.deployment()
    here.give_back()  # DNS may answer slowly
    return flask.render_template(
        "admin/domain.html",
        look=domain_looks.look(settings, domain, keys),
        deployment=deployment,
        has_next=any(key.state is State.NEXT for key in keys),
        has_keys=bool(keys),
        can_seal=can_seal,
        sender=settings.hostname,
        told=summary.told,
        decided_by=summary.decided_by,
        dmarc_words=summary.dmarc_words,
        dmarc_state=summary.dmarc_state,
        retired_days=dkim_keys.RETIRED_DAYS,
        fault=fault,
    )
