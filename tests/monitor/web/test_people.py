from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from monitor.web.people import LOCAL, Person, Role, require


def request_of(person: Person | None) -> Request:
    request = Request({"type": "http", "state": {}})
    if person is not None:
        request.state.person = person
    return request


def test_whoever_asks_on_this_machine_is_an_operator_where_no_users_are_named() -> None:
    assert require(request_of(None), Role.OPERATOR) == LOCAL
    with pytest.raises(HTTPException, match="local is operator; this takes engineer"):
        require(request_of(None), Role.ENGINEER)


def test_a_viewer_only_looks() -> None:
    viewer = Person("anna", Role.VIEWER)
    assert require(request_of(viewer), Role.VIEWER) == viewer
    with pytest.raises(HTTPException) as refused:
        require(request_of(viewer), Role.OPERATOR)
    assert refused.value.status_code == 403
