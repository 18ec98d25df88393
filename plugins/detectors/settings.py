"""Settings that more than one detector has."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A detector names those of these that it has, so that its keys stand in its own order.
Kinds = Annotated[
    int, Field(ge=1, le=64, description="Into how many kinds of scene the training crops are divided, at most.")
]
Trimmed = Annotated[
    float,
    Field(ge=0, lt=1, description="The share of the regions, the farthest from the usual, that does not count."),
]
Shrinkage = Annotated[
    float, Field(ge=0, le=1, description="The part of a region's covariance that is taken from all together.")
]
Standardize = Annotated[
    bool,
    Field(description="The network sees each channel less the training crops' mean, in units of their deviation."),
]
Keep = Annotated[
    Literal["best", "last"],
    Field(description="Whose weights are kept: those of the epoch with the lowest validation loss, or the last."),
]


class ViewSettings(BaseModel):
    """Settings of a `ViewDetector` and of the training of its network; detectors bring their own defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=32, ge=8, le=256, description="Rows of the network's input, in pixels.")
    width: int = Field(default=32, ge=8, le=256, description="Columns of the network's input, in pixels.")
    centre_height: float = Field(default=0.8, gt=0, le=1, description="The middle share of a crop's rows to keep.")
    centre_width: float = Field(default=0.5, gt=0, le=1, description="The middle share of a crop's columns to keep.")
    blur_sigma: float = Field(
        default=1.0, ge=0, le=10, description="Gaussian blur of the input, in its pixels; 0: none."
    )
    even_light: bool = Field(
        default=True, description="Bring every view to the same mean brightness before the network sees it."
    )
    cell: int = Field(default=4, ge=2, le=64, description="Side of a square region, in pixels of the network's input.")
    shrinkage: Shrinkage = 0.5
    epochs: int = Field(default=30, ge=1, le=10_000, description="Passes over the training crops, at most.")
    patience: int = Field(
        default=5, ge=0, description="Stop after this many epochs without a lower validation loss; 0: never."
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description="Crops for each step of the training.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Step size of Adam.")

    @model_validator(mode="after")
    def _whole_cells(self) -> Self:
        if self.height % self.cell or self.width % self.cell:
            raise ValueError("height and width must be multiples of cell")
        return self
