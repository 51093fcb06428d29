"""Writes `mailweir/free_mail_domains.txt` again, from the lists of two npm packages and our own (`make free-mail`).

Needs npm, which downloads the packages. List additions and removals in the commit message.
"""

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from publicsuffixlist import PublicSuffixList

FILE = Path(__file__).parent.parent / "mailweir" / "free_mail_domains.txt"
# name, the list in the package, the licence in the package
PACKAGES = (
    ("free-email-domains", "package/domains.json", "package/LICENSE.md"),
    ("email-providers", "package/all.json", "package/license.md"),
)
# Providers and forwarding services where anybody may have an address, and that neither list has.
OWN = (
    *(
        "aleeas.com",
        "anonaddy.com",
        "anonaddy.me",
        "chello.at",
        "chello.nl",
        "disroot.org",
        "hispeed.ch",
        "kabelmail.de",
    ),
    *("mozmail.com", "passinbox.com", "passmail.net", "riseup.net", "simplelogin.co", "simplelogin.com", "slmails.com"),
    *("startmail.com", "tuta.com", "tutamail.com", "tutanota.com", "tutanota.de", "vodafone.de", "vodafonemail.de"),
    *("zohomail.com", "zohomail.eu", "zohomail.in"),
)
# Reserved by RFC 2606.
RESERVED = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")


def main() -> None:
    """Fetches the packages, and writes the file."""
    domains = set(OWN)
    notices = []
    for name, list_path, licence_path in PACKAGES:
        version, listed, licence = _package(name, list_path, licence_path)
        domains |= {one.strip().lower().rstrip(".") for one in listed}
        notices.append(f"{name} {version} (npm)\n\n{licence.strip()}")
    suffixes = PublicSuffixList()  # below a public suffix, such as com.ar, anybody may register a domain
    kept = sorted(one for one in domains if _is_name(one) and not _is_reserved(one) and not suffixes.is_public(one))
    head = "\n\n".join(
        ("Domains at which anybody may have an address. Made by scripts/renew_free_mail.py of:", *notices)
    )
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    FILE.write_text("\n".join([*lines, *kept]) + "\n", encoding="utf-8")
    print(f"{FILE}: {len(kept)} domains")


def _package(name: str, list_path: str, licence_path: str) -> tuple[str, list[str], str]:
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", "--silent", name], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as archive:
            read = {path: _content(archive, path) for path in (list_path, licence_path, "package/package.json")}
    return json.loads(read["package/package.json"])["version"], json.loads(read[list_path]), read[licence_path]


def _content(archive: tarfile.TarFile, path: str) -> str:
    member = archive.extractfile(path)
    if member is None:
        raise FileNotFoundError(path)
    return member.read().decode()


def _is_name(domain: str) -> bool:
    return domain.isascii() and "." in domain and domain.replace(".", "").replace("-", "").isalnum()


def _is_reserved(domain: str) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in RESERVED)


if __name__ == "__main__":
    main()
