from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tokenizers_mm.indexed.config import TokensConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("documents_per_shard", 0),
        ("dtype", "float32"),
        ("encoder", "tiktoken"),
        ("max_document_bytes", 0),
        ("max_document_bytes", 1 << 31),
        ("validation_share", 1.0),
        ("validation_share", -0.1),
    ],
)
def test_bad_values_name_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        TokensConfig(**{field: value})


def test_a_profile_with_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="shards"):
        TypeAdapter(TokensConfig).validate_python({"shards": 5})
