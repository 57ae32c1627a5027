"""The sandbox's configuration over HTTP: `GET/PUT /config`, `GET /faults`, `PUT /faults/{connector}`.

Owns:    parsing and answering. Leaves the meaning of every setting to `state`.
Rules:   a setting that is not known or not of its type is refused with 400 and nothing of the same request is applied.
"""

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.personas import PERSONAS
from sandbox.state import Mode, SandboxState, SettingRefused

MAX_BODY_BYTES = 4_096
_CONFIG_MEMBERS = frozenset({"persona", "mode", "approval_delay_s"})
_FAULT_MEMBERS = frozenset({"fault", "times"})


def build_config_routes(state: SandboxState) -> list[BaseRoute]:
    """Return the routes that show and change `state`."""

    async def read_config(request: Request) -> Response:
        """Show the settings and the personas."""
        return JSONResponse(_config_view(state))

    async def write_config(request: Request) -> Response:
        """Change the settings that the body names; the others stay."""
        try:
            _apply_config(state, await _read_object(request, _CONFIG_MEMBERS))
        except SettingRefused as refusal:
            return _refused(refusal)
        return JSONResponse(_config_view(state))

    async def read_faults(request: Request) -> Response:
        """List, per connector, what can be injected and what is."""
        return JSONResponse(_faults_view(state))

    async def write_fault(request: Request) -> Response:
        """Inject one fault, or clear it with `{"fault": null}`."""
        try:
            members = await _read_object(request, _FAULT_MEMBERS)
            name = _optional_text(members, "fault")
            state.inject(request.path_params["connector"], name, uses=_optional_integer(members, "times"))
        except SettingRefused as refusal:
            return _refused(refusal)
        return JSONResponse(_faults_view(state))

    return [
        Route("/config", read_config, methods=["GET"]),
        Route("/config", write_config, methods=["PUT"]),
        Route("/faults", read_faults, methods=["GET"]),
        Route("/faults/{connector}", write_fault, methods=["PUT"]),
    ]


def _config_view(state: SandboxState) -> dict[str, object]:
    return {
        "simulated": True,
        "persona": state.persona,
        "mode": state.mode.value,
        "approval_delay_s": state.approval_delay_s,
        "personas": sorted(PERSONAS),
    }


def _faults_view(state: SandboxState) -> dict[str, object]:
    connectors: dict[str, object] = {}
    for connector, catalogue in sorted(state.catalogues().items()):
        fault = state.fault(connector)
        connectors[connector] = {
            "active": None if fault is None else {"fault": fault.name, "times": fault.uses_left},
            "available": [{"fault": name, "effect": effect} for name, effect in catalogue.names.items()]
            + [{"fault_pattern": pattern, "effect": effect} for pattern, effect in catalogue.patterns.items()],
        }
    return {"connectors": connectors}


def _apply_config(state: SandboxState, members: Mapping[str, object]) -> None:
    """Apply all members or none: each is checked on a copy of the switches first."""
    trial = SandboxState(persona=state.persona, mode=state.mode, approval_delay_s=state.approval_delay_s)
    if "persona" in members:
        trial.set_persona(_optional_text(members, "persona"))
    if "mode" in members:
        mode = _optional_text(members, "mode")
        if mode not in set(Mode):
            raise SettingRefused("mode must be automatic or interactive")
        trial.mode = Mode(mode)
    if "approval_delay_s" in members:
        delay = members["approval_delay_s"]
        if isinstance(delay, bool) or not isinstance(delay, int | float):
            raise SettingRefused("approval_delay_s must be a number")
        trial.set_approval_delay(float(delay))
    state.persona, state.mode, state.approval_delay_s = trial.persona, trial.mode, trial.approval_delay_s


async def _read_object(request: Request, allowed: frozenset[str]) -> Mapping[str, object]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise SettingRefused("the body is too long")
    try:
        members = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise SettingRefused("the body must be a JSON object") from error
    if not isinstance(members, dict):
        raise SettingRefused("the body must be a JSON object")
    unknown = sorted(set(members) - allowed)
    if unknown:
        raise SettingRefused(f"unknown member {unknown[0]!r}")
    return members


def _optional_text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingRefused(f"{name} must be a string or null")
    return value


def _optional_integer(members: Mapping[str, object], name: str) -> int | None:
    value = members.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise SettingRefused(f"{name} must be an integer or null")
    return value


def _refused(refusal: SettingRefused) -> Response:
    return JSONResponse({"code": "setting_refused", "detail": str(refusal)}, status_code=400)
