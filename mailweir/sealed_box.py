"""A sealed box: the public key closes it, and only the key file opens it. For a process that stores tokens and must not read
them.

The key pair is derived from the file's key, so there is one file to keep. The sealed value: an ephemeral X25519 key's public half
(RFC 7748), then AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) derives from the shared secret and both public halves. Each
value has an ephemeral key of its own, so no nonce is used twice. Each value is bound to its purpose, like everything that
`secrets_file` seals. Called by `secrets_file`, and by the page through it.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PUBLIC_BYTES = 32
_KEY_BYTES = 32
_NONCE_BYTES = 12


def pair_purpose() -> str:
    """The purpose for deriving the pair from the file's key. Changing the words makes all existing boxes unreadable."""
    return "the box that the page seals tokens in"


def box_purpose() -> str:
    """The purpose for deriving a box's own key; it must not change either."""
    return "mailweir box 1"


def public_of(file_key: bytes) -> bytes:
    """The public half, 32 bytes. file_key: the key in the key file."""
    return _private_of(file_key).public_key().public_bytes_raw()


def seal(public: bytes, plain: bytes, purpose: str) -> bytes:
    """The value in a box. ValueError if `public` isn't a public half."""
    ephemeral = X25519PrivateKey.generate()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    sender = ephemeral.public_key().public_bytes_raw()
    key, nonce = _derived(shared, sender, public)
    return sender + AESGCM(key).encrypt(nonce, plain, purpose.encode())


def unseal(file_key: bytes, box: bytes, purpose: str) -> bytes:
    """The value from the box. ValueError if it was sealed for another pair or purpose, or was altered."""
    private = _private_of(file_key)
    sender, text = box[:PUBLIC_BYTES], box[PUBLIC_BYTES:]
    shared = private.exchange(X25519PublicKey.from_public_bytes(sender))
    key, nonce = _derived(shared, sender, private.public_key().public_bytes_raw())
    try:
        return AESGCM(key).decrypt(nonce, text, purpose.encode())
    except InvalidTag as error:
        raise ValueError("the box doesn't open") from error


def _private_of(file_key: bytes) -> X25519PrivateKey:
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=pair_purpose().encode()).derive(file_key)
    return X25519PrivateKey.from_private_bytes(derived)


def _derived(shared: bytes, sender: bytes, recipient: bytes) -> tuple[bytes, bytes]:
    """The key and the nonce of one box."""
    made = HKDF(SHA256(), _KEY_BYTES + _NONCE_BYTES, salt=sender + recipient, info=box_purpose().encode()).derive(
        shared
    )
    return made[:_KEY_BYTES], made[_KEY_BYTES:]
