from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tokenizers_mm.text.config import TokenizerConfig


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"vocab_size": 276}, "vocab_size"),
        ({"min_frequency": 0}, "min_frequency"),
        ({"sample_bytes": 0}, "sample_bytes"),
        ({"sample_document_characters": -1}, "sample_document_characters"),
        ({"end_of_document": "</s>"}, "end_of_document"),
    ],
)
def test_bad_values_name_the_field(values, named):
    with pytest.raises(ValueError, match=named):
        TokenizerConfig(**values)


def test_an_adopted_tokenizer_may_end_documents_with_its_own_token():
    assert TokenizerConfig(path="x.json", end_of_document="</s>").end_of_document == "</s>"


def test_a_profile_with_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="vocabulary"):
        TypeAdapter(TokenizerConfig).validate_python({"vocabulary": 5})
