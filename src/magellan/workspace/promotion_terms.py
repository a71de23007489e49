"""Promotion as magellan.toml has it: who may approve one."""

from __future__ import annotations

from pydantic import Field, field_validator

from magellan.workspace.section import Section


class PromotionTerms(Section):
    """Who approves what goes on to the next stage."""

    approvers: tuple[str, ...] = Field(
        (), description="names of releases.trusted_keys who may approve; empty: everybody who has a key there"
    )
    second_person: bool = Field(False, description="whoever built a release cannot approve it")

    @field_validator("approvers", mode="before")
    @classmethod
    def _toml_has_no_tuples(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value
