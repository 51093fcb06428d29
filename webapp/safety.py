"""Headers of every answer: they limit what a browser may load, where a form may go, who may frame a page, and what may be kept.

Browsers don't store pages, because pages show mail. They keep files with a hash in their name for ever. Called by `application`.
"""

from collections.abc import Collection

import flask
from werkzeug.wrappers import Response

_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "font-src": "'none'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "manifest-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# For a document that came by mail. No script runs. The document has our origin: otherwise its own pictures wouldn't load, and
# the page couldn't measure its height. Never add `allow-scripts`: with our origin, a script could leave the sandbox.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox allow-same-origin"
FILE_POLICY = "default-src 'none'; sandbox"
# For a picture of ours that is opened as a document. Its style is inline, and it loads nothing
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
FOR_EVER = "public, max-age=31536000, immutable"


def policy(form_targets: Collection[str] = ()) -> str:
    """The pages' Content-Security-Policy. form_targets: origins to which the answer to a POST may redirect."""
    forms = " ".join(("'self'", *sorted(form_targets)))
    return "; ".join([*(f"{name} {value}" for name, value in _POLICY.items()), f"form-action {forms}"])


def mail_policy(pictures: str) -> str:
    """The policy of a document that came by mail. pictures: the prefix of the URLs of the mail's own pictures."""
    return (
        f"default-src 'none'; img-src {pictures} data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none';"
        f" frame-ancestors 'self'; sandbox {SANDBOX}"
    )


def finish(response: Response) -> Response:
    """Runs after each view. A header that the view has set stays, for example the policy of a mail's document."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", policy(flask.current_app.config["FORM_TARGETS"]))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    # with `no-referrer`, a browser would send `Origin: null` with each form, and each form would be refused
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if flask.current_app.config["IS_HTTPS"]:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if flask.request.endpoint == "static":
        headers["Cache-Control"] = FOR_EVER
    else:
        headers.setdefault("Cache-Control", "no-store")
    return response
