"""What every section of config.toml is, and the kinds of values that several of them have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from monitor.configuration.checks import none_if_empty, plain_path, resolvable_path

Folder = Annotated[Path, BeforeValidator(plain_path), AfterValidator(resolvable_path)]
OptionalFolder = Annotated[Folder | None, BeforeValidator(none_if_empty)]


class Section(BaseModel):
    """A section of the file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
