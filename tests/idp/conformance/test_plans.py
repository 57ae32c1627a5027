"""One test for each module of each plan, by name: a later run of the real suite maps 1:1."""

import re
from pathlib import Path

HERE = Path(__file__).parent
COUNTS = {
    "oidcc-basic-certification-test-plan": 38,
    "oidcc-config-certification-test-plan": 1,
    "oidcc-rp-initiated-logout-certification-test-plan": 11,
    "oidcc-backchannel-rp-initiated-logout-certification-test-plan": 2,
    "oidcc-frontchannel-rp-initiated-logout-certification-test-plan": 2,
    "fapi2-security-profile-final-test-plan": 59,
    "fapi2-message-signing-final-test-plan": 16,
    "ekyc-test-plan-oidccore": 12,
}


def plans() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (HERE / "plans.txt").read_text().splitlines():
        if line.startswith("["):
            modules = found[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            modules.append(line)
    return found


def test_every_module_has_its_one_test() -> None:
    assert {plan: len(modules) for plan, modules in plans().items()} == COUNTS
    written = [
        name
        for file in HERE.glob("test_*.py")
        for name in re.findall(r"^async def (test_\w+)\(", file.read_text(), re.M)
    ]
    assert len(written) == len(set(written)), "no name twice"
    wanted = {f"test_{module.replace('-', '_')}" for modules in plans().values() for module in modules}
    assert wanted <= set(written), sorted(wanted - set(written))
    suites = ("test_oidcc_", "test_fapi2_security_profile_final_", "test_ekyc_server_")
    strangers = {name for name in written if name.startswith(suites)} - wanted
    assert not strangers, "a name of the suite that the suite does not have"
