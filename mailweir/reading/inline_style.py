"""The declarations of a `style` attribute. Pure. Standard library only. Called by `html_text` and `view_style`."""


def declarations(style: str) -> dict[str, str]:
    """Values by property, both in lower case. If a property occurs several times, the value that browsers use counts (CSS Cascade
    6.4.4)."""
    found: dict[str, str] = {}
    important: set[str] = set()
    for part in style.lower().split(";"):
        name, colon, value = part.partition(":")
        name, (value, bang, _) = name.strip(), value.partition("!")
        if not colon or not value.strip() or (name in important and not bang):
            continue
        found[name] = " ".join(value.split())
        if bang:
            important.add(name)
    return found
