"""The page of a crop says what was decided and why, and shows what models see, as far as there is anything to show."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient

from monitor.cli.program import Program
from monitor.store import labels, models
from monitor.store.database.schema import crops
from monitor.store.labels import NewLabel
from monitor.web.app import application
from monitor.web.site import Site
from tests.monitor.inbox.conftest import decided_inbox
from tests.support.decided_inbox import NOW
from tests.support.pictures import PICTURE, encoded
