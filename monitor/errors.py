"""The exception tree and the exit codes: every error that a person can cause or correct has its own sentence.

An error's message names the path, the key or the id that it is about and says what to do next. The command
line prints it as one sentence and ends with the error's exit code; nothing else turns errors into exit codes.
"""

from enum import IntEnum
from functools import partial
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """What the program's exit status means; 64 and above follow ``sysexits.h``."""

    OK = 0
    # A defect of the program itself: the traceback is printed, please report it.
    UNEXPECTED = 1
    # The command line is wrong.
    USAGE = 2
    # ``monitor score`` found at least one proliv.
    PROLIV_FOUND = 3
    # No trained and calibrated model fits the request.
    NO_MODEL = 4
    # An input was read and is not what it should be: a damaged model, a folder without labelled crops.
    DATA_ERROR = 65
    # An input is missing or cannot be read.
    NO_INPUT = 66
    # Something outside the program is in the way: a port in use, a database that cannot be reached.
    UNAVAILABLE = 69
    # An output file or folder cannot be written.
    CANNOT_CREATE = 73
    # Try again later: the database is locked, another daemon is running, the system ended a part of this one.
    TEMPORARY_FAILURE = 75
    # A configuration file, an environment variable or the set of plug-ins is wrong.
    CONFIGURATION = 78
    # Stopped by Ctrl-C.
    INTERRUPTED = 130


class MonitorError(Exception):
    """Base of all errors with a sentence for a person; carries the exit code."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED


class DeliveryError(MonitorError):
    """A receiver of alarms did not take a message; it will be sent again."""

    exit_code = ExitCode.UNAVAILABLE


class ConfigurationError(MonitorError):
    """The configuration is wrong; the message holds one line for each problem."""

    exit_code = ExitCode.CONFIGURATION


class PluginError(MonitorError):
    """A plug-in clashes with another one, or one that was asked for is missing or broken."""

    exit_code = ExitCode.CONFIGURATION


class InputMissingError(MonitorError):
    """A folder or file that was asked for does not exist or cannot be read."""

    exit_code = ExitCode.NO_INPUT


class InboxDoubtError(InputMissingError):
    """The inbox may not be the folder that crops were decided in, so nothing may be taken for gone."""


class DataError(MonitorError):
    """An input was read and is not what it should be."""

    exit_code = ExitCode.DATA_ERROR


class OutputError(MonitorError):
    """A file or folder cannot be written."""

    exit_code = ExitCode.CANNOT_CREATE


class NoModelError(MonitorError):
    """No trained and calibrated model fits the request."""

    exit_code = ExitCode.NO_MODEL


class NotOfferedError(MonitorError):
    """A detector was asked for a reconstruction, codes or a heat map, and has none."""

    exit_code = ExitCode.NO_MODEL


class ModelDamagedError(DataError):
    """A model's folder is not the one that was trained: a file is missing, added or changed."""


class EvidenceMissingError(DataError):
    """A threshold rule lacks scores to choose from; the message says which and how many."""


class CalibrationRefusedError(DataError):
    """The guard refused a new threshold; the active one stands."""


class ModelRefusedError(DataError):
    """A model that was trained again was refused; the active one stands."""


class StoreError(MonitorError):
    """The database cannot be used."""

    exit_code = ExitCode.UNAVAILABLE


class StoreBusyError(StoreError):
    """The database is locked by another program; the same call may go through later."""

    exit_code = ExitCode.TEMPORARY_FAILURE


class StoreReadOnlyError(StoreError):
    """The database or its folder cannot be written."""

    exit_code = ExitCode.CANNOT_CREATE


class StoreDamagedError(StoreError):
    """The database file is not a database, or is corrupt."""

    exit_code = ExitCode.DATA_ERROR


class StoreReplacedError(StoreDamagedError):
    """The database file was removed or replaced while it was in use: a restart goes on with the one that is there."""

    exit_code = ExitCode.TEMPORARY_FAILURE


class StoreDoubtError(StoreError):
    """What was committed might not be there after a crash, so nothing that it stands for may be deleted."""

    exit_code = ExitCode.DATA_ERROR


class StoreRefusedError(StoreError):
    """The database can never take a row: trying again does not help, leaving the row out does."""

    exit_code = ExitCode.DATA_ERROR


class StoreSchemaError(StoreError):
    """The database's schema is newer or older than this program's."""

    exit_code = ExitCode.DATA_ERROR


class AlreadyRunningError(MonitorError):
    """Another daemon works on the same database."""

    exit_code = ExitCode.TEMPORARY_FAILURE


class WorkerLostError(MonitorError):
    """A process that scores crops ended unexpectedly."""

    exit_code = ExitCode.TEMPORARY_FAILURE


class AddressInUseError(MonitorError):
    """The metrics address cannot be bound."""

    exit_code = ExitCode.UNAVAILABLE


class CropRefusedError(MonitorError):
    """One crop cannot be scored; the batch goes on without it.

    ``reason`` is a machine-readable word such as ``truncated`` (bounded: it is a metric label and a column);
    the message is the sentence for a person. ``transient`` says that the same path may become readable by
    waiting, as a half-written file does.
    """

    exit_code = ExitCode.DATA_ERROR

    def __init__(self, reason: str, sentence: str, *, transient: bool = False) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.transient = transient

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a refusal come from another process as it is."""
        return partial(CropRefusedError, transient=self.transient), (self.reason, str(self))
