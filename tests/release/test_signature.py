"""Who answers for a release."""

import pytest

from magellan.errors import AskOperator, FixInput
from magellan.release.signature import Signature, SigningKey

from .conftest import Bench


def test_only_the_release_that_was_signed_is_trusted_and_only_by_a_trusted_key(bench: Bench) -> None:
    release, other = bench.release(), bench.release(author="bob")
    trusted = {"ada": bench.key.public_key}
    assert release.signature.problem(release.release_id, trusted) is None
    assert release.signature.signer(trusted) == "ada"
    assert release.signature.problem(other.release_id, trusted) == "its signature does not belong to it"
    problem = release.signature.problem(release.release_id, {"eve": SigningKey.new().public_key})
    assert problem is not None
    assert "magellan.toml does not trust" in problem


@pytest.mark.parametrize("signature", ["", "AA==", "not base64", "A" * 88])
def test_a_signature_that_is_none_is_not_trusted(bench: Bench, signature: str) -> None:
    forged = Signature(public_key=bench.key.public_key, signature=signature)
    assert forged.problem(bench.release().release_id, {"ada": bench.key.public_key}) is not None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"public_key": 1, "signature": ""}', b"\xff"])
def test_a_signature_that_cannot_be_read_is_said_so(content: bytes) -> None:
    with pytest.raises(AskOperator, match="its signature cannot be read"):
        Signature.parsed(content, name="moods-1")


def test_a_key_reads_back_and_signs_the_same() -> None:
    key = SigningKey.new()
    again = SigningKey.parsed(key.written(), name="key")
    assert again.public_key == key.public_key
    assert again.sign("ab" * 32) == key.sign("ab" * 32)


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff" * 32])
def test_a_file_without_a_key_is_refused(content: bytes) -> None:
    with pytest.raises(FixInput, match="holds no Ed25519 private key"):
        SigningKey.parsed(content, name="key.pem")
