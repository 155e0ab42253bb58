"""A one-machine Slurm for trying things out: munge, slurmctld and two slurmd in one folder.

    python -m training.launch.slurm.local_cluster FOLDER [--cgroups]

starts it in about a second, prints the `export SLURM_CONF=...` that makes sbatch and squeue talk
to it, and stops it with Ctrl-C. Needs root and Debian's packages slurm-wlm and munge; nothing is
written outside FOLDER. It has no accounting database: sacct is not available.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import InputError

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
_NODES = ("n1", "n2")
_START_SECONDS = 30.0
_CPUS_A_NODE = 4
_MEGABYTES_A_NODE = 4000


def missing_programs() -> list[str]:
    """The programs a cluster needs that are not installed (packages slurm-wlm and munge)."""
    return [name for name in _PROGRAMS if _find(name) is None]


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def can_limit_memory() -> bool:
    """Whether this machine's memory cgroup can be written, which telling OOM apart needs."""
    return _cgroup_plugin() is not None


def _cgroup_plugin() -> str | None:
    root = Path("/sys/fs/cgroup")
    if (root / "memory").is_dir() and os.access(root / "memory", os.W_OK):
        return "cgroup/v1"
    controllers = root / "cgroup.controllers"
    if controllers.is_file() and "memory" in controllers.read_text() and os.access(root, os.W_OK):
        return "cgroup/v2"
    return None


@dataclass(slots=True)
class SlurmCluster:
    """A running cluster. `environment` is what clients need on top of their own."""

    base: Path
    nodes: tuple[str, ...]
    environment: dict[str, str]
    _daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def client(self, *command: str) -> str:
        """The output of a Slurm client command; raises CalledProcessError when it fails."""
        return subprocess.run(  # noqa: S603
            command,
            env=os.environ | self.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        ).stdout

    def kill(self, daemon: str) -> None:
        """kill -9 of "n1", "n2" or "slurmctld": for fault drills."""
        self._daemons[daemon].kill()
        self._daemons[daemon].wait()

    def restart_controller(self) -> None:
        """slurmctld again, with the jobs it knew."""
        self.kill("slurmctld")
        self._spawn("slurmctld", [_require("slurmctld"), "-D", "-f", str(self.base / "slurm.conf")])
        self._await_nodes()

    def _spawn(self, name: str, command: Sequence[str]) -> None:
        with (self.base / f"{name}.out").open("ab") as out:
            self._daemons[name] = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment,
            )

    def _await_nodes(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            for name, daemon in self._daemons.items():
                if daemon.poll() is not None:
                    log = (self.base / f"{name}.out").read_text(errors="replace")[-600:]
                    raise RuntimeError(f"{name} ended with {daemon.returncode}: {log}")
            try:
                states = self.client("sinfo", "--noheader", "--Node", "--format=%T").split()
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                states = []
            if len(states) == len(self.nodes) and set(states) <= {"idle", "mixed", "allocated"}:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the nodes did not come up in {_START_SECONDS} s; see {self.base}")

    def _stop(self) -> None:
        for name in (*self.nodes, "slurmctld", "munged"):
            daemon = self._daemons.get(name)
            if daemon is None or daemon.poll() is not None:
                continue
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for node in self.nodes:
            _remove_cgroups(node)


@contextmanager
def slurm_cluster(base: Path, cgroups: bool = False) -> Iterator[SlurmCluster]:
    """A cluster of two nodes (4 CPUs, 4 GB each) in `base`, which must be a short path.

    With `cgroups` a job over its memory ends as OUT_OF_MEMORY. `SLURM_CONF` is set in this
    process while in the block, so that Slurm's clients find the cluster. Running jobs are
    cancelled on the way out.

    Raises `InputError` when programs are missing, this is not root, or cgroups cannot be used.
    """
    missing = missing_programs()
    if missing:
        raise InputError(f"{', '.join(missing)}: not installed; apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        raise InputError("a one-machine Slurm needs root: its daemons change users")
    plugin = _cgroup_plugin()
    if cgroups and plugin is None:
        raise InputError("cgroups: the memory controller of this machine cannot be written")
    base = base.resolve()
    base.mkdir(parents=True, exist_ok=True)
    _configure(base, plugin if cgroups else None)
    cluster = SlurmCluster(base, _NODES, {"SLURM_CONF": str(base / "slurm.conf")})
    with ExitStack() as stack:
        stack.callback(cluster._stop)
        _start(cluster)
        previous = os.environ.get("SLURM_CONF")
        os.environ |= cluster.environment
        stack.callback(_restore, previous)
        stack.callback(_cancel_all, cluster)
        yield cluster


def _remove_cgroups(node: str) -> None:
    """slurmd leaves its empty cgroup folders behind."""
    roots = [*Path("/sys/fs/cgroup").glob(f"*/slurm_{node}")]
    for folder in [inner for root in roots for inner in [*root.rglob("*/"), root]][::-1]:
        with suppress(OSError):  # not empty: a process of a killed job is still going
            folder.rmdir()


def _start(cluster: SlurmCluster) -> None:
    base = cluster.base
    files = {
        "key-file": "munge.key",
        "socket": "munge.socket",
        "pid-file": "munge.pid",
        "log-file": "munge.log",
        "seed-file": "munge.seed",
    }
    options = [f"--{option}={base / name}" for option, name in files.items()]
    cluster._spawn("munged", [_require("munged"), "--foreground", "--force", *options])
    deadline = time.monotonic() + _START_SECONDS
    while not (base / "munge.socket").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    config = str(base / "slurm.conf")
    cluster._spawn("slurmctld", [_require("slurmctld"), "-D", "-i", "-f", config])
    for node in cluster.nodes:
        cluster._spawn(node, [_require("slurmd"), "-D", "-N", node, "-f", config])
    cluster._await_nodes()


def _restore(previous: str | None) -> None:
    if previous is None:
        os.environ.pop("SLURM_CONF", None)
    else:
        os.environ["SLURM_CONF"] = previous


def _cancel_all(cluster: SlurmCluster) -> None:
    try:
        cluster.client("scancel", "--user=root", "--full", "--signal=KILL")
        cluster.client("scancel", "--user=root")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return  # the controller may be dead: a drill killed it


def _require(name: str) -> str:
    path = _find(name)
    if path is None:
        raise InputError(f"{name}: not installed; apt-get install slurm-wlm munge")
    return path


def _configure(base: Path, cgroup_plugin: str | None) -> None:
    for folder in ("state", *(f"spool-{node}" for node in _NODES)):
        (base / folder).mkdir(exist_ok=True)
    key = base / "munge.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
    (base / "slurm.conf").write_text(_slurm_conf(base, cgroup_plugin))
    lines = ["ConstrainRAMSpace=yes", "CgroupAutomount=no", f"CgroupPlugin={cgroup_plugin}"]
    (base / "cgroup.conf").write_text("\n".join(lines if cgroup_plugin else []) + "\n")


def _slurm_conf(base: Path, cgroup_plugin: str | None) -> str:
    host = socket.gethostname()
    ports = _free_ports(1 + len(_NODES))
    proctrack, task, gather = (
        ("cgroup", "cgroup", "cgroup") if cgroup_plugin else ("linuxproc", "none", "none")
    )
    lines = [
        "ClusterName=local",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={ports[0]}",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        "CredType=cred/munge",
        f"AuthInfo=socket={base / 'munge.socket'}",
        f"SlurmctldPidFile={base / 'slurmctld.pid'}",
        f"SlurmctldLogFile={base / 'slurmctld.log'}",
        f"StateSaveLocation={base / 'state'}",
        f"SlurmdPidFile={base}/slurmd-%n.pid",
        f"SlurmdLogFile={base}/slurmd-%n.log",
        f"SlurmdSpoolDir={base}/spool-%n",
        "SlurmdParameters=config_overrides",
        "MpiDefault=none",
        "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
        "ReturnToService=2",
        "SlurmdTimeout=10",
        "KillWait=5",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_CPU_Memory",
        "DefMemPerCPU=256",
        "JobRequeue=1",
        "SchedulerParameters=bf_interval=5,sched_interval=2",
        f"ProctrackType=proctrack/{proctrack}",
        f"TaskPlugin=task/{task}",
        f"JobAcctGatherType=jobacct_gather/{gather}",
        *(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={_CPUS_A_NODE} RealMemory={_MEGABYTES_A_NODE}"
            for node, port in zip(_NODES, ports[1:], strict=True)
        ),
        f"PartitionName=main Nodes={','.join(_NODES)} Default=YES MaxTime=INFINITE State=UP",
    ]
    return "\n".join(lines) + "\n"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.launch.slurm.local_cluster", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="where the cluster keeps everything")
    parser.add_argument("--cgroups", action="store_true", help="enforce memory limits")
    options = parser.parse_args()
    try:
        with slurm_cluster(options.folder, cgroups=options.cgroups) as cluster:
            print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}", flush=True)
            print("running; Ctrl-C stops it", file=sys.stderr)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
