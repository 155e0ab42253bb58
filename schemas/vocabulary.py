"""The one id space that every modality shares, and the special tokens of `vla` pretraining."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from schemas.identity import config_hash

END_OF_DOCUMENT = "<|endoftext|>"
PADDING = "[PAD]"

# The seeds' appendix A.2: control, modality boundaries, and the six cameras of a driving rig.
VLA_SPECIAL_TOKENS: tuple[str, ...] = (
    END_OF_DOCUMENT, "<|im_start|>", "<|im_end|>", PADDING, "[UNK]",
    "<|vision_start|>", "<|vision_end|>",
    "<|video_start|>", "<|video_end|>",
    "<|audio_start|>", "<|audio_end|>",
    "<|3d_start|>", "<|3d_end|>",
    "<|action_start|>", "<|action_end|>",
    "<|cam_front|>", "<|cam_front_left|>", "<|cam_front_right|>",
    "<|cam_back|>", "<|cam_left_repeater|>", "<|cam_right_repeater|>",
)  # fmt: skip


class IdRange(BaseModel):
    """Ids `start` (inclusive) to `start + size` of one kind of token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    start: int
    size: int


class Vocabulary(BaseModel):
    """Named ranges that cover the id space from 0 without gap or overlap."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranges: tuple[IdRange, ...]
    specials: dict[str, int]

    @model_validator(mode="after")
    def _covers(self) -> Vocabulary:
        expected = 0
        for part in self.ranges:
            if part.start != expected or part.size < 1:
                raise ValueError(
                    f"vocabulary range {part.name} covers {part.start}+{part.size}; "
                    f"it must start at {expected} and hold at least one id"
                )
            expected = part.start + part.size
        stray = [token for token, index in self.specials.items() if not 0 <= index < expected]
        if stray:
            raise ValueError(f"special token {stray[0]} has an id outside 0..{expected - 1}")
        return self

    @property
    def size(self) -> int:
        return self.ranges[-1].start + self.ranges[-1].size

    @property
    def hash(self) -> str:
        """Travels with every tokenizer, indexed dataset and checkpoint; a mismatch is refused."""
        return config_hash(self.model_dump())
