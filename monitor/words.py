"""The domain's words, used in every part of the program: labels, sources, reasons, identities."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


# The most characters of an author's name and of a note.
LONGEST_AUTHOR: Final = 100
LONGEST_NOTE: Final = 1000

# Stands for the final decision where a detector is named; no detector may have this name.
DECISION: Final = "decision"

# Stands for a camera or a hole that the file's name does not tell.
UNKNOWN: Final = "unknown"

# The phases of a cast. In "idle" nothing is cast: alarms are recorded and not told.
Phase = Literal["idle", "start", "steady", "end"]
PHASES: Final[tuple[Phase, ...]] = ("idle", "start", "steady", "end")

# Where a crop was found: by the daemon, or in a folder that was scored by hand.
Source = Literal["inbox", "folder"]


class Reason(StrEnum):
    """Why a file is refused: a bounded set, because it labels a metric and fills a column."""

    # The file is gone.
    VANISHED = "vanished"
    # The name is a symbolic link; links are never followed.
    SYMLINK = "symlink"
    # A folder, a pipe, a socket or a device.
    NOT_A_FILE = "not_a_file"
    # The operating system refuses to open or to read it.
    UNREADABLE = "unreadable"
    # It holds no bytes.
    EMPTY = "empty"
    # It holds more bytes than allowed.
    TOO_LARGE = "too_large"
    # Its header announces more pixels than allowed.
    TOO_MANY_PIXELS = "too_many_pixels"
    # It begins like none of the accepted formats.
    UNKNOWN_FORMAT = "unknown_format"
    # It ends before its picture does.
    TRUNCATED = "truncated"
    # It is complete but damaged, or of a kind within its format that cannot be read.
    UNDECODABLE = "undecodable"
    # The processes that had it in hand ended more than once, each time with nothing else in hand.
    KILLED_WORKER = "killed_worker"
    # It can be decoded, but its bytes were changed on the way: the pixels are not those that were taken.
    DAMAGED = "damaged"
    # Decoding it would take far more time or memory than a crop can need, or reading, decoding or scoring it took more
    # than a crop may take.
    TOO_COSTLY = "too_costly"
    # Nothing is wrong with the file: the machine lacked the memory to read or to score it. Never recorded, because such
    # a file is tried again until there is memory.
    OUT_OF_MEMORY = "out_of_memory"
    # Nothing is wrong with the file: an older program made no decision on it while the active models were exchanged.
    # Only `monitor db upgrade` gives this reason, to rows that had none; such a file is read and decided again.
    UNDECIDED = "undecided"


class Refusal(StrEnum):
    """Why a new threshold was refused: a bounded set, because it labels a metric and fills a column."""

    # The rule lacks scores to choose from.
    EVIDENCE_MISSING = "evidence_missing"
    # There are fewer labelled ne_proliv crops than minimum_normal.
    TOO_FEW_NORMAL = "too_few_normal"
    # There are fewer labelled proliv crops than minimum_proliv, and the active threshold was chosen with enough.
    TOO_FEW_PROLIV = "too_few_proliv"
    # The rule failed, or did not choose a finite number.
    NO_THRESHOLD = "no_threshold"
    # It changes the active threshold by a larger share than largest_jump.
    LARGE_JUMP = "large_jump"
    # It misses more of the newest labelled proliv.
    WORSE_TPR = "worse_tpr"
    # It raises alarms on more of the newest labelled ne_proliv.
    WORSE_TNR = "worse_tnr"
    # It misses more than most_proliv_lost of all labelled proliv that the active one catches.
    LOSES_PROLIV = "loses_proliv"
    # It raises alarms on more than most_ne_proliv_lost of all labelled ne_proliv that the active one passes.
    LOSES_NE_PROLIV = "loses_ne_proliv"
    # One labelling action brings most of the new labels that speak for it, and it costs crops of the other class.
    ONE_ACTION = "one_action"
    # Before its trial was over, the active threshold was changed, or labels from before it were taken back.
    WITHDRAWN = "withdrawn"
    # It is the threshold that was rolled back, and nothing has been labelled since.
    ROLLED_BACK = "rolled_back"


class Unlearned(StrEnum):
    """Why a model that was trained again was refused: a bounded set, because it labels a metric and fills a column."""

    # Too little proliv is known, or all of it is of one hole: nobody would notice what a new model misses.
    TOO_FEW_PROLIV = "too_few_proliv"
    # It misses known proliv, cross-fitted, that the active model finds.
    MISSES_PROLIV = "misses_proliv"
    # It decides more of one kind of made-up pictures wrongly.
    WORSE_ON_MADE_UP = "worse_on_made_up"
    # It catches a smaller share of all labelled proliv.
    WORSE_TPR = "worse_tpr"
    # It surely passes a smaller share of all labelled ne_proliv.
    WORSE_TNR = "worse_tnr"
    # The training was interrupted before the model was compared with the active one.
    INTERRUPTED = "interrupted"
    # Before its trial was over, the active model was changed, or labels that it may have learned from were taken back.
    WITHDRAWN = "withdrawn"


class Identity(NamedTuple):
    """Where and when a crop was taken, as far as its name says; ``captured_at`` is in UTC and aware of it."""

    hole: int | None
    camera: str | None
    captured_at: datetime | None


class Label(StrEnum):
    """What a person says a crop shows; proliv (bleed-out) is the positive one."""

    PROLIV = "proliv"
    NE_PROLIV = "ne_proliv"
