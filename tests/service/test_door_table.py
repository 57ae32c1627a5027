"""The table of doors serves what the framework behind would serve, and hands over everything else."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.door_table import DoorTable
from service.telemetry import route_template


async def door(request: Request) -> Response:
    return JSONResponse(
        [request.method, request.path_params, dict(request.query_params), route_template(request.scope)]
    )


async def broken(request: Request) -> Response:
    raise RuntimeError("inner word")


ROUTES = [
    Route("/one", door, methods=["GET", "POST"]),
    Route("/by/{name}", door),
    Route("/other/{thing}", door),
    Route("/broken", broken),
]


async def on_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"code": "internal_error"}, 500)


@pytest.fixture
def http():
    behind = Starlette(routes=ROUTES)
    table = DoorTable(behind, routes=ROUTES, on_error=on_error, expansions={"name": ("a", "b")})
    return httpx.AsyncClient(transport=httpx.ASGITransport(table), base_url="http://test")


async def test_doors_are_called_with_their_parameters_and_route(http: httpx.AsyncClient) -> None:
    assert (await http.get("/one?x=1")).json() == ["GET", {}, {"x": "1"}, "/one"]
    assert (await http.post("/one")).json()[0] == "POST"
    assert (await http.get("/by/a")).json() == ["GET", {"name": "a"}, {}, "/by/{name}"]


async def test_everything_else_is_the_applications(http: httpx.AsyncClient) -> None:
    assert (await http.get("/by/stranger")).json()[1] == {"name": "stranger"}
    assert (await http.get("/other/x")).json()[1] == {"thing": "x"}
    assert (await http.head("/one")).status_code == 200
    assert (await http.put("/one")).status_code == 405
    assert (await http.get("/nowhere")).status_code == 404
    assert (await http.get("/One")).status_code == 404


async def test_what_a_door_raises_tells_nothing_of_the_inside(http: httpx.AsyncClient) -> None:
    response = await http.get("/broken")
    assert response.status_code == 500
    assert "inner word" not in response.text
