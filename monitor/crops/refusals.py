"""Why a file is refused: the refusal of each reason, and the limits that are checked before memory or time is taken."""

from __future__ import annotations

from typing import Final, NamedTuple

from monitor.errors import CropRefusedError
from monitor.words import Reason

# These look the same while a file is still being written or its permissions are still being set, or pass by themselves.
_TRANSIENT: Final = frozenset(
    {
        Reason.UNREADABLE,
        Reason.EMPTY,
        Reason.UNKNOWN_FORMAT,
        Reason.TRUNCATED,
        Reason.UNDECODABLE,
        Reason.DAMAGED,
        Reason.OUT_OF_MEMORY,
    }
)

# How often each pixel of the largest picture that is allowed may be gone over: a camera's progressive JPEG has ten
# scans. What takes more is made to waste time.
_PASSES: Final = 16


def refusal(reason: Reason, sentence: str) -> CropRefusedError:
    """The refusal of a file; the sentence leaves the path to the caller."""
    # .value, because some database drivers store an enumeration's member by its name.
    return CropRefusedError(reason.value, sentence, transient=reason in _TRANSIENT)


def truncated(kind: str) -> CropRefusedError:
    """The refusal of a file of this format that ends too early."""
    return refusal(
        Reason.TRUNCATED, f"its {kind} data end before the picture does; it is still being written or was cut off"
    )


def damaged(kind: str, what: str) -> CropRefusedError:
    """The refusal of a file of this format whose bytes are not those that were written; ``what`` shows it."""
    return refusal(
        Reason.DAMAGED,
        f"its {kind} data were changed on the way ({what}): the picture would not be the one that was taken; transfer "
        "it again in binary mode, and check the disk and the network",
    )


def unsupported(kind: str, what: str) -> CropRefusedError:
    """The refusal of a file of this format whose pixels cannot be told for sure; ``what`` says why not."""
    return refusal(Reason.UNDECODABLE, f"it is a {kind} of an unsupported kind ({what}); write it as 8-bit colour")


def too_costly(kind: str, what: str) -> CropRefusedError:
    """The refusal of a file of this format that would take far more effort than a crop needs; ``what`` says why."""
    return refusal(Reason.TOO_COSTLY, f"decoding its {kind} data would take too long ({what}); write it plainly")


def out_of_memory(wanted: str = "read") -> CropRefusedError:
    """The refusal of a crop that there is no memory for at the moment; ``wanted``: what was to be done with it."""
    return refusal(
        Reason.OUT_OF_MEMORY,
        f"the machine has too little memory left to {wanted} it; end what takes the memory, or set pipeline.workers "
        "and pipeline.batch_size lower",
    )


def lacks_memory(refused: CropRefusedError | None) -> bool:
    """Whether a crop was refused for lack of memory: nothing is wrong with it, and it is never given up for that."""
    return refused is not None and refused.reason == Reason.OUT_OF_MEMORY


class Limits(NamedTuple):
    """What a picture may need: ``max_pixels``: width x height."""

    max_pixels: int

    def check_size(self, width: int, height: int) -> None:
        """Raise `CropRefusedError` for a picture of more pixels."""
        if width * height > self.max_pixels:
            raise self.too_many_pixels(f"{width:,} x {height:,} pixels")

    def check_passes(self, kind: str, width: int, height: int, passes: int) -> None:
        """Raise `CropRefusedError` where going over the picture so many times takes too long."""
        if width * height * passes > self.max_pixels * _PASSES:
            raise too_costly(kind, f"{width:,} x {height:,} pixels in {passes:,} passes")

    def too_many_pixels(self, announced: str) -> CropRefusedError:
        """The refusal of a picture whose header announces this."""
        return refusal(
            Reason.TOO_MANY_PIXELS,
            f"its header announces {announced} and {self.max_pixels:,} in all are allowed; "
            "raise the limit of pixels if crops may be that large",
        )
