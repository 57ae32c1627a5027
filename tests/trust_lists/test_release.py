"""Publishing from a workspace: killed -9 at every step, readers see the old or the new version, and the same command finishes the work."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from securesystemslib.signer import Signer

from tests.support.trust_lists import refusal
from tests.trust_lists.test_cli import Desk
from trust_lists.acceptance import accept
from trust_lists.clock import utc_now
from trust_lists.release import add_witness, missing_signatures, open_desk, publish_sealed, seal_next, stage_next
from trust_lists.signers import read_private_key
from trust_lists.store import read_bundle, read_log
from trust_lists.transparency import parse_log_entry


def publish(repo: Path, signers: dict[str, Signer], stop: int = -1) -> list[str]:
    """Publish what is signed, as the command does; the process gets SIGKILL before step number `stop`."""
    steps: list[str] = []

    def step(name: str) -> None:
        if len(steps) == stop:
            os.kill(os.getpid(), signal.SIGKILL)
        steps.append(name)

    desk = open_desk(repo)
    staged = desk.workspace.staged()
    if staged is not None:
        sealed = seal_next(desk, staged, signers["online"], signers["online"], step=step)
        for name in ("hk-w", "gd-w"):
            add_witness(desk, signers[name], repo / f"{name}.seen")
        publish_sealed(desk, staged, sealed, signers["online"], step=step)
    return steps


def in_a_child(work: Callable[[], object]) -> int:
    """Run it in a process of its own; return the signal that ended it, 0 for none. No Python cleans up after a SIGKILL."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), "the child failed"
    return status


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Version 1 is public; version 2 is signed, not published: an agreement, a status and a new officer, so that a root comes along."""
    desk = Desk(tmp_path_factory.mktemp("release"))
    officers = [f"--officer={region}:ann={desk.public(region)}" for region in ("hk", "mo", "gd")]
    desk.json("init", *officers, "--online", desk.public("online"), *desk.witnesses())
    desk.sign("hk", "mo", "gd")
    desk.publish()
    desk.json("officer", "add", "--region", "hk", "--name", "dan", "--public-key", desk.public("hk2"))
    desk.json("agreement", "enact", "hk-gd", "--between", "hk,gd", "--purpose", "mainland")
    desk.sign("hk", "gd")
    for name in ("hk-w", "gd-w"):
        shutil.copy(desk.keys / f"{name}.pem.seen", desk.repo / f"{name}.seen")
    return desk


def version_seen(repo: Path) -> tuple[int, int]:
    """What a new reader sees: the version, and how many roots lead to it."""
    published = repo / "published"
    root = (published / "metadata" / "1.root.json").read_bytes()
    bundle = read_bundle(published, root)
    return accept(bundle, root, None, utc_now()).version, len(bundle.roots)


def test_killed_at_every_step_of_publish(signed: Desk, tmp_path: Path) -> None:
    """SIGKILL at each enumerated fault point, in a process of its own; then the same command once more."""
    signers = {
        name: read_private_key(signed.keys / f"{name}.pem", b"correct horse") for name in ("online", "hk-w", "gd-w")
    }
    shutil.copytree(signed.repo, tmp_path / "counted")
    steps = publish(tmp_path / "counted", signers)
    assert version_seen(tmp_path / "counted") == (2, 1)
    assert len(steps) > 60
    for part in ("snapshot.json", "checkpoint", "2.tlog-proof", "2.root.json", "timestamp.json", "scheme.json"):
        assert any(part in name for name in steps), part
    (published_at,) = [i for i, name in enumerate(steps) if name == "fsync directory timestamp.json"]
    for stop, name in enumerate(steps):
        repo = tmp_path / f"kill-{stop}"
        shutil.copytree(signed.repo, repo)
        assert in_a_child(lambda r=repo, s=stop: publish(r, signers, s)) == signal.SIGKILL, name
        assert version_seen(repo)[0] == (1 if stop < published_at else 2), name
        assert in_a_child(lambda r=repo: publish(r, signers)) == 0, name
        version, roots = version_seen(repo)
        assert (version >= 2, roots) == (True, 1), name
        log = logged_versions(repo)
        assert len(set(log)) == len(log), f"one version was logged with two contents: {name}"
        shutil.rmtree(repo)


def logged_versions(repo: Path) -> list[int]:
    log, _ = read_log(repo / "published")
    return [parse_log_entry(entry)[0] for entry in log.entries]


def test_nothing_is_logged_that_the_gate_would_refuse(signed: Desk, tmp_path: Path) -> None:
    """Signatures of one region only: neither sealed nor logged, whatever the operator types."""
    repo = tmp_path / "repo"
    shutil.copytree(signed.repo, repo)
    desk = open_desk(repo)
    unsigned = stage_next(desk)
    assert missing_signatures(desk, unsigned).keys() == {"root", "targets"}
    online = read_private_key(signed.keys / "online.pem", b"correct horse")
    before = desk.workspace.log()
    assert refusal(seal_next, desk, unsigned, online, online) == "list_threshold_not_met"
    assert desk.workspace.log() == before
