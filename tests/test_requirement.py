"""What values must be, in place of pydantic's messages."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, HttpUrl, ValidationError

from affekt.requirement import requirement


class Values(BaseModel):
    way: Literal["mean", "split"] = "mean"
    speakers: Literal["auto"] | Annotated[int, Field(ge=1, le=20)] = 1
    hop: float = Field(1.0, gt=0, lt=5, multiple_of=0.5, allow_inf_nan=False)
    tag: str = Field("a", min_length=1, max_length=3)
    hook: HttpUrl | None = None
    code: str = Field("a", pattern="^a$")
    must: int


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("way", "left", " must be 'mean' or 'split'"),
        ("speakers", "many", " must be 'auto' or a whole number"),
        ("speakers", "99", " must be 'auto' or at most 20"),
        ("hop", "x", " must be a number"),
        ("hop", "inf", " must be a finite number"),
        ("hop", "0.3", " must be a multiple of 0.5"),
        ("hop", "0", " must be more than 0"),
        ("hop", "5", " must be less than 5"),
        ("tag", "", " must be text of 1 or more characters"),
        ("tag", "abcd", " must be text of up to 3 characters"),
        ("hook", "here", " must be a URL"),
        ("hook", "ftp://x", " must be a URL with 'http' or 'https'"),
        ("code", "b", ": String should match pattern '^a$'"),  # as pydantic says
    ],
)
def test_a_wrong_value(name, value, text):
    with pytest.raises(ValidationError) as caught:
        Values.model_validate({"must": 1, name: value})
    assert requirement(caught.value.errors()) == text


def test_a_missing_value():
    with pytest.raises(ValidationError) as caught:
        Values.model_validate({})
    assert requirement(caught.value.errors()) == " is missing"
