"""From samples of any depth to 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# So many bits are unpacked together, and so many samples scaled.
_BITS_AT_ONCE: Final = 1 << 23
_SAMPLES_AT_ONCE: Final = 1 << 20
# What white may be where no depth tells it: of floats the first, of both the others.
_WHITES: Final = (1, 255, 65_535)


def unpacked(rows: NDArray[np.uint8], bits: int, count: int) -> NDArray[Any]:
    """Samples of 1 to 15 bits, packed from the highest bit on: uint8 (rows, bytes) -> uint16 (rows, count).

    Each row begins at a byte of its own.
    """
    if bits == 8:
        return rows[:, :count].astype(np.uint16)
    values = np.empty((len(rows), count), dtype=np.uint16)
    # A few rows at a time, because every single bit takes a byte on the way.
    step = max(_BITS_AT_ONCE // max(bits * count, 1), 1)
    for start in range(0, len(rows), step):
        single = np.unpackbits(rows[start : start + step], axis=1, count=bits * count).reshape(-1, count, bits)
        some = values[start : start + step]
        some[...] = 0
        for bit in range(bits):
            some |= single[..., bit].astype(np.uint16) << np.uint16(bits - 1 - bit)
    return values


def to_eight_bits(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Unsigned integers of so many bits: the upper 8 of more, and fewer brought to the whole range, rounded."""
    if bits == 8 and values.dtype == np.uint8:
        return values
    if bits >= 8:
        return (values >> (bits - 8)).astype(np.uint8)
    top = (1 << bits) - 1
    return ((values.astype(np.uint16) * 255 + top // 2) // top).astype(np.uint8)


def spread_bits(values: NDArray[Any], depth: int, told: Sequence[int]) -> NDArray[Any]:
    """Bring samples that have fewer bits than their depth to the whole range of it, unless they are there already.

    ``values``: (h, w, channels), unsigned. ``told``: the bits of each channel. Samples that fill the range end in
    zeros, in a repetition of their upper bits, or in what rounding leaves of it; so those of a picture that is darker
    than the told bits end in no more than 1.
    """
    channels = range(values.shape[2])
    if min(told) >= depth or any(values[..., channel].max() >= 1 << told[channel] for channel in channels):
        return values
    ends = [values[..., channel] & ((1 << (depth - told[channel])) - 1) for channel in channels]
    if not any((end > 1).any() for end in ends):
        return values
    spread = [_spread(values[..., channel], depth, told[channel]) for channel in channels]
    return np.stack(spread, axis=-1).astype(values.dtype)


def _spread(values: NDArray[Any], depth: int, told: int) -> NDArray[Any]:
    # Of 8 bits and more, the upper 8 count; they must not depend on how the rest is filled.
    if told >= 8:
        return values << (depth - told)
    return values.astype(np.uint32) * ((1 << depth) - 1) // ((1 << told) - 1)


def scaled_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Floats, scaled by the smallest of 1, 255, 65,535 and their brightest that holds all; what is no number is 0."""
    # A part at a time, because each step on the way takes several bytes for a sample.
    parts = np.array_split(values, max(values.size // _SAMPLES_AT_ONCE, 1))
    brightest = max(float(_finite(part).max(initial=0)) for part in parts)
    white = next((top for top in _WHITES if brightest <= top), brightest)
    scaled = [np.rint(np.clip(_finite(part) / white, 0, 1) * 255).astype(np.uint8) for part in parts]
    return np.concatenate(scaled)


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0, posinf=0, neginf=0)


def scaled_integers(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Unsigned integers: the upper 8 of the smallest of 8, 16 and ``bits`` that holds all."""
    brightest = int(values.max(initial=0))
    bits = next((fewer for fewer in (8, 16) if brightest < 1 << fewer), bits)
    return to_eight_bits(values, bits)


def as_three_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of (h, w, 1) three times the same, of (h, w, 3) itself: C-contiguous."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)
