"""The certificate that Postfix offers: is it readable, does the key belong to it, how long is it valid?"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mailweir.health import advice
from mailweir.health.findings import Finding, note, ok, wrong
from mailweir.sentence import said
from mailweir.settings import Settings
from postfix.rendering import Places

AREA = "certificate"
_SHORT_DAYS = 14
_SOON_DAYS = 30
_SELF_SIGNED = said(' (self-signed: enough for port 25, but Gmail\'s "Send mail as" refuses it)')


def check(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Checks the admin's own certificate, or else the self-signed one."""
    own = settings.smtp.tls_certificate_file
    file = own or Places.of(settings).certificate_file
    take_up = advice.take_up_settings(settings)
    renew = (
        said("renew it, and {take_up}", take_up=take_up)
        if own
        else said("remove {file} and {take_up}: that creates a new one", file=file, take_up=take_up)
    )
    try:
        raw = file.read_bytes()
        certificate = x509.load_pem_x509_certificate(raw)
    except PermissionError:
        yield note(
            AREA,
            said("can't read {file}", file=file),
            said("run 'mailweir doctor' as root"),
            key="certificate.closed",
            file=str(file),
        )
        return
    except (OSError, ValueError) as error:
        yield wrong(
            AREA,
            said("there is no usable certificate in {file}: {error}", file=file, error=error),
            renew,
            key="certificate.unusable",
            file=str(file),
            why=str(error),
        )
        return
    if not _fits(certificate.public_key(), settings.smtp.tls_key_file or file):
        yield wrong(
            AREA,
            said("the key in {file} isn't the certificate's", file=settings.smtp.tls_key_file or file),
            said("name the pair in the settings"),
            key="certificate.other_key",
            file=str(file),
        )
    yield _validity(certificate, now, file, renew, remark="" if own else _SELF_SIGNED)


def _validity(certificate: x509.Certificate, now: datetime, file: Path, renew: str, *, remark: str) -> Finding:
    """remark: added to the sentence about a valid certificate."""
    begins, ends = (f"{one:%Y-%m-%d}" for one in (certificate.not_valid_before_utc, certificate.not_valid_after_utc))
    days = (certificate.not_valid_after_utc - now).days
    name = str(file)
    if now < certificate.not_valid_before_utc:
        sentence, to_do = (
            said("{file} isn't valid before {begins}", file=file, begins=begins),
            said("set this host's clock right"),
        )
        return wrong(AREA, sentence, to_do, key="certificate.not_yet_valid", file=name, begins=begins)
    if now >= certificate.not_valid_after_utc:
        sentence = said("the certificate in {file} expired on {ends}", file=file, ends=ends)
        return wrong(AREA, sentence, renew, key="certificate.expired", file=name, ends=ends)
    if days < _SOON_DAYS:
        tell = wrong if days < _SHORT_DAYS else note
        sentence = said("the certificate in {file} expires in {days} days, on {ends}", file=file, days=days, ends=ends)
        return tell(AREA, sentence, renew, key="certificate.expires", file=name, ends=ends, days=days)
    sentence = said("the certificate is valid for {days} days more{remark}", days=days, remark=remark)
    return ok(AREA, sentence, key="certificate.valid", file=name, ends=ends, days=days)


def _fits(public_key: object, key_file: Path) -> bool:
    try:
        return load_pem_private_key(key_file.read_bytes(), None).public_key() == public_key
    except (OSError, ValueError, TypeError):
        return False
