"""`mailweir gmail connect|disconnect|forget-consent`: which mailboxes the sync reads."""

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from admin_cli import consent, context, key_files, options, output
from admin_cli.change_notes import changes
from admin_cli.commands.gmail_state import Username
from mailweir import gmail_access, secrets_file
from mailweir.errors import BadInput
from mailweir.explain import consents, english, synced
from mailweir.gmail import oauth_files, transport
from mailweir.gmail.consent import Consent
from mailweir.gmail.oauth_files import OAuthClient
from mailweir.gmail_access import AnotherAccount, AnotherMailbox, Directions, Left, Wanted
from mailweir.settings import Settings, load
from mailweir.store.gmail import gmail_connections, gmail_mailboxes, gmail_revocations
from mailweir.store.gmail.gmail_mailboxes import GmailMailbox
from mailweir.store.people import checks


def register(group: typer.Typer) -> None:
    """Adds the commands to `mailweir gmail`."""
    line = "mailweir gmail connect richard --inbound --outbound"
    group.command("connect", epilog=options.example(line, f"{line} --no-browser"))(connect)
    group.command("disconnect", epilog=options.example("mailweir gmail disconnect richard"))(disconnect)
    line = "mailweir gmail forget-consent richard@firm.example"
    group.command("forget-consent", epilog=options.example(line))(forget_consent)


@changes("gmail.connected", "username")
def connect(
    username: Username,
    inbound: Annotated[bool, typer.Option("--inbound", help="Record mail that contacts send to the user.")] = False,
    outbound: Annotated[bool, typer.Option("--outbound", help="Record mail that the user sends to contacts.")] = False,
    no_browser: Annotated[
        bool,
        typer.Option(
            "--no-browser", help="Consent on another machine, then paste the address that its browser ends at."
        ),
    ] = False,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="A", help="One of the user's addresses. Default: the main mailbox."),
    ] = None,
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Connects a user's Gmail, by the user's consent or by the service account in the settings. If it was connected before, the
    sync continues where it was, and keeps its directions if you give none."""
    settings = load()
    identity = oauth_files.load(settings.gmail)
    _remark_foreign(settings)
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        wanted, before = gmail_connections.may_connect(database, chosen, username, address)
        directions: Directions | None = Directions(inbound, outbound)
        if not (inbound or outbound):
            directions = gmail_access.directions_before(database, chosen, username)
    if directions is None:
        raise typer.BadParameter("say what to record: --inbound, --outbound or both")
    # the database is closed meanwhile: a consent may take minutes
    consented = None
    if not isinstance(identity, oauth_files.ServiceAccount):
        transport.refuse_insecure(
            settings.gmail.api_endpoint, "gmail.api_endpoint"
        )  # before the user is sent to Google
        secrets = key_files.opened(settings)
        consented = _consent(settings, identity, wanted, no_browser=no_browser), secrets
    with _in_our_words(username):
        done = gmail_access.connect(
            settings,
            lambda: context.opened(settings),
            chosen,
            username,
            wanted=Wanted(wanted, before, is_exact=address is not None),
            directions=directions,
            identity=identity,
            consent=consented,
            clock=context.now,
        )
    if as_json:
        output.show_json(output.plain(done.mailbox))
        return
    if done.renamed_from:
        output.say(f"It is the mailbox that was {done.renamed_from}: the sync continues where it was.")
    _say_connected(done.mailbox)
    for hindrance in synced.hindrances(None, is_swept=done.is_swept):
        output.remark(english.text(hindrance))


def _remark_foreign(settings: Settings) -> None:
    """Root can read a client's file that the sync can't."""
    file = settings.gmail.identity_file
    if file and (foreign := secrets_file.foreign(file, settings.run_as)):
        output.remark(f"The sync can't work yet: {foreign}: chown {settings.run_as} {file}")


@contextmanager
def _in_our_words(username: str) -> Iterator[None]:
    """Turns errors about another account into errors that name the command line's options."""
    try:
        yield
    except AnotherAccount as error:
        raise BadInput(
            f"that is the Google account of {error.found}, and --address says {error.wanted}: choose the other account"
        ) from error
    except AnotherMailbox as error:
        hint = f"; if it is the same account under a new name, say so: --address {error.found}"
        raise BadInput(
            f"{username} is connected with {error.before}, and {error.found} is another mailbox: 'mailweir gmail disconnect "
            f"{username}' first{hint if error.may_be_renamed else ''}"
        ) from error


def _consent(settings: Settings, client: OAuthClient, wanted: str, *, no_browser: bool) -> Consent:
    timeout_seconds = settings.gmail.timeout_seconds
    if no_browser:
        return consent.by_hand(client, wanted, _show_by_hand, _read_line, timeout_seconds=timeout_seconds)
    return consent.by_browser(client, wanted, _show_in_browser, timeout_seconds=timeout_seconds)


def _show_by_hand(url: str) -> None:
    output.remark("Open this address in a browser on any machine, as the user, and consent:")
    output.remark(f"  {url}")
    output.remark("The browser ends at an address of 127.0.0.1 that it can't show. Copy that address here:")


def _read_line(max_chars: int) -> str:
    return sys.stdin.readline(max_chars)


def _show_in_browser(url: str) -> None:
    output.remark("Consent in the browser of this machine, as the user. If none opens, open this address in it:")
    output.remark(f"  {url}")
    output.remark("For a browser on another machine stop this, and use --no-browser.")
    # without a screen, a browser for text would take over this terminal
    if any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")):
        webbrowser.open(url)


def _say_connected(made: GmailMailbox) -> None:
    kinds = " and ".join(word for word, on in (("inbound", made.inbound), ("outbound", made.outbound)) if on)
    output.say(f"The Gmail of {made.address} is connected for {made.username} of {made.deployment}.")
    output.say(f"Its {kinds} mail with contacts is recorded, also mail since {output.moment(made.covered_since)}.")
    output.say("'mailweir gmail status' shows its state.")
    if ends := synced.consent_end(made):
        output.remark(english.text(ends))


@changes("gmail.disconnected", "username")
def disconnect(
    username: Username, deployment: options.DeploymentOption = None, as_json: options.JsonOption = False
) -> None:
    """Disconnects a user's Gmail: gives the consent back to Google and forgets the token. Recorded mail stays."""
    settings = load()
    with context.opened(settings) as database:
        chosen = context.choose(database, deployment)
        found = gmail_mailboxes.find(database, chosen, username)
        sealed = gmail_mailboxes.token_sealed(database, found.id)
        is_shared = gmail_mailboxes.shares_consent(database, found.id)
        client_id = gmail_mailboxes.client_id(database, found.id)
    left, why = gmail_access.give_up(settings, found.address, sealed, is_shared=is_shared, client_id=client_id)
    # if Google didn't take the consent back now, the sync gives it back
    end = gmail_connections.disconnect_and_return if left is Left.UNTOLD else gmail_connections.disconnect
    with context.opened(settings) as database:
        end(database, chosen, username, context.now())
    explanation = consents.left(left, found.address, why)
    remark = english.text(explanation) if explanation else None
    if as_json:
        values = {"deployment": found.deployment, "username": found.username, "address": found.address}
        output.show_json({**values, "revoked": left is Left.NOTHING, "left": remark})
    else:
        output.say(f"The Gmail of {found.address} is disconnected: Mailweir no longer reads it. Recorded mail stays.")
    if remark:
        output.complain(remark)


@changes("gmail.consent_forgotten", "address")
def forget_consent(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The Google account, as 'mailweir doctor' names it.")
    ],
    deployment: options.DeploymentOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Stops giving a consent back to Google, because the account's owner withdrew it there. Forgets its token."""
    clean = checks.clean_address(address)
    with context.opened() as database:
        chosen = context.choose(database, deployment)
        count = gmail_revocations.forget_open(database, chosen, clean)
    if as_json:
        output.show_json({"deployment": chosen.name, "address": clean, "forgotten": count})
        return
    output.say(f"Mailweir no longer tries to give the consent of {clean} back, and it has forgotten the token.")
