"""How often somebody may try to log in."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Within so many seconds somebody may be wrong so many times, with one name from one address and with any from there.
SECONDS: Final = 300.0
MOST_OF_NAME: Final = 5
MOST_OF_ADDRESS: Final = 30
# Of how many names and addresses this is known; the ones longest ago are forgotten.
MOST_KNOWN: Final = 10_000


class Attempts:
    """Counts attempts that failed. ``clock``: seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # By the digest of a name and an address, or of the address: how many failed, and since when.
        self._failed: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Count an attempt as failed until `succeeded` says otherwise; returns how many seconds it has to wait, or 0.

        One that has to wait does not count. Attempts at the same time count one by one.
        """
        now = self._clock()
        with self._lock:
            counts = [(key, most, *self._known(key, now)) for key, most in _keys(name, address)]
            wait = max((since + SECONDS - now for _, most, failed, since in counts if failed >= most), default=0.0)
            if wait <= 0:
                for key, _, failed, since in counts:
                    self._failed[key] = (failed + 1, since)
                    self._failed.move_to_end(key)
                while len(self._failed) > MOST_KNOWN:
                    self._failed.popitem(last=False)
            return max(0.0, wait)

    def succeeded(self, name: str, address: str) -> None:
        """Forget what failed with a name from an address, and not count this attempt among those of the address."""
        now = self._clock()
        with self._lock:
            (of_name, _), (of_address, _) = _keys(name, address)
            self._failed.pop(of_name, None)
            failed, since = self._known(of_address, now)
            if failed > 1:
                self._failed[of_address] = (failed - 1, since)
            else:
                self._failed.pop(of_address, None)

    def _known(self, key: bytes, now: float) -> tuple[int, float]:
        failed, since = self._failed.get(key, (0, now))
        return (failed, since) if now < since + SECONDS else (0, now)


def _keys(name: str, address: str) -> Iterator[tuple[bytes, int]]:
    network = _network(address)
    # Digests, so that long names take no memory.
    yield hashlib.sha256(f"{network}\0{name}".encode("utf-8", "replace")).digest(), MOST_OF_NAME
    yield hashlib.sha256(network.encode("utf-8", "replace")).digest(), MOST_OF_ADDRESS


def _network(address: str) -> str:
    """The address, of IPv6 the network of a household or an office, all of which one person may have."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) else address
