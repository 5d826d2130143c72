#!/bin/sh
# Runs everything that has to pass, on a fresh checkout; installs what it needs.
set -eu

usage() {
  cat <<'TEXT'
Usage: scripts/test.sh [--fast] [ARGUMENT OF pytest]...

Installs what the tests need (as root: Debian packages, without starting any of
their services; always: Python packages, in a folder of their own outside the
checkout) and runs every test. A test whose tool or right is missing is skipped
and says so; with CI=true it fails.

  --fast   unit tests and tools only
  --help   show this text

Folders that are kept between runs:
  ${XDG_CACHE_HOME:-~/.cache}/trtllm-install   Python packages for the tests
  ${TRTLLM_LAB_CACHE:-/var/cache/trtllm-lab}   root file systems of the lab hosts

Examples:
  sudo scripts/test.sh
  scripts/test.sh --fast
  sudo scripts/test.sh -k debian13 -x
TEXT
}

UNIT_BUDGET_S=10

PACKAGES='python3 python3-venv git curl iproute2 procps util-linux gcc libc6-dev mmdebstrap
  systemd-container nginx libnginx-mod-http-lua lua-cjson lua-check shellcheck chromium tmux prometheus'

say() { printf 'test: %s\n' "$1" >&2; }

fail() {
  printf 'error: %s\n\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

log=
making=
shards=

POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# put here by scripts/test.sh for the time of one package install'
policy_is_ours=
nginx_is_awaited=

# A package's nginx.service starts at once on port 80 unless policy-rc.d says no.
# Somebody else's policy is never replaced: then disable_nginx alone stops it.
hold_services() {
  command -v nginx >/dev/null || nginx_is_awaited=yes
  if [ -e "$POLICY" ] && ! grep -qsF "$POLICY_MARK" "$POLICY"; then
    return 0
  fi
  policy_is_ours=yes
  # shellcheck disable=SC2016  # "$*" belongs to the script that is written
  printf '%s\n' '#!/bin/sh' "$POLICY_MARK" \
    'case " $* " in *" nginx "* | *" nginx.service "*) exit 101 ;; esac' 'exit 0' >"$POLICY"
  chmod 755 "$POLICY"
}

# Callable at any moment, also when an install was interrupted.
release_services() {
  [ -z "$policy_is_ours" ] || rm -f "$POLICY"
  policy_is_ours=
  if [ -n "$nginx_is_awaited" ] && command -v nginx >/dev/null; then disable_nginx; fi
  nginx_is_awaited=
}

# Only for an nginx that this run brought: nobody asked for its own service.
disable_nginx() {
  if [ -d /run/systemd/system ]; then
    systemctl disable --now nginx.service >>"$log" 2>&1
  elif command -v systemctl >/dev/null; then
    systemctl disable nginx.service >>"$log" 2>&1
  elif command -v update-rc.d >/dev/null; then
    update-rc.d nginx disable >>"$log" 2>&1
  fi
  # Without systemd a foreign policy-rc.d may have let it start.
  if [ ! -d /run/systemd/system ] && [ -x /etc/init.d/nginx ] && [ -s /run/nginx.pid ]; then
    /etc/init.d/nginx stop >>"$log" 2>&1
  fi
}

tidy() {
  release_services
  [ -z "$making" ] || rm -rf "$making"
  for shard in $shards; do kill "${shard#*:}" 2>/dev/null || true; done
  [ -z "$log" ] || rm -f "$log" "$log".[0-9]
}

fail_with_log() {
  tail -n 30 "$log" | sed 's/^/  | /' >&2
  fail "$@"
}

supply_packages() {
  if ! command -v apt-get >/dev/null; then
    say 'skipped: installing packages (no apt-get); tests whose tool is missing are skipped'
    return 0
  fi
  missing=
  for package in $PACKAGES; do
    is_installed "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "skipped: installing packages (not root):$missing"
    return 0
  fi
  hold_services
  # shellcheck disable=SC2086  # package names are words
  install_packages $missing ||
    fail_with_log "cannot install packages: apt-get failed for$missing" \
      "mend what the log above names, or run: apt-get install$missing"
  release_services
}

find_python() {
  for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
      2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# Prints what pyproject.toml asks for: run time, and every dependency group.
requirements() {
  "$python" - "$repo/pyproject.toml" <<'PYTHON'
import sys
import tomllib

with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)
groups = project["dependency-groups"].values()
print(*project["project"]["dependencies"], *(name for group in groups for name in group), sep="\n")
PYTHON
}

install_python_packages() {
  "$python" -m venv "$environment" >>"$log" 2>&1 || return 1
  requirements >"$environment/requirements.txt" || return 1
  "$environment/bin/python" -m pip install --no-input --disable-pip-version-check \
    --requirement "$environment/requirements.txt" >>"$log" 2>&1
}

# A folder for each state of pyproject.toml; a half-made one is made again.
make_environment() {
  python=$(find_python) ||
    fail 'cannot run the tests: no Python 3.11 or newer with venv' 'run: apt-get install python3-venv'
  key=$({ "$python" --version && cat "$repo/pyproject.toml"; } | sha256sum | cut -c 1-12)
  cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/trtllm-install
  environment=$cache/test-$key
  [ ! -e "$environment/.complete" ] || return 0
  say "installing Python packages into $environment"
  mkdir -p "$cache"
  rm -rf "$environment"
  making=$environment
  if ! install_python_packages; then
    fail_with_log 'cannot install the Python packages of the tests: pip failed' \
      'check the network and the settings of pip (pip config list)'
  fi
  : >"$environment/.complete"
  making=
}

# passed STATUS: what pytest ended with; also fine when -k or the like selects nothing.
passed() {
  [ "$1" -eq 0 ] || { [ "$1" -eq 5 ] && [ -n "$selected" ]; }
}

milliseconds() { "$environment/bin/python" -c 'import time; print(time.monotonic_ns() // 1000000)'; }

# start_shard NUMBER ARGUMENT...: its part of the unit tests' files. Each folder is dealt out by
# size and to and fro, so that each shard has about as much to do.
start_shard() {
  number=$1
  shift
  files=$(find tests/unit -name 'test_*.py' -printf '%h %s %p\n' | sort -k 1,1 -k 2,2nr |
    awk -v n="$cores" -v k="$number" '
      { m = (NR - 1) % (2 * n); if ((m < n ? m : 2 * n - 1 - m) == k) print $3 }')
  # shellcheck disable=SC2086  # names of test files are words
  "$environment/bin/python" -m pytest --quiet $files "$@" >"$log.$number" 2>&1 &
}

# time_unit_tests ARGUMENT...: sets $spent, in milliseconds of wall time.
# A pytest of its own for each core: with tests of milliseconds, workers of pytest-xdist
# and their messages take 17 s of CPU where this takes 12.
time_unit_tests() {
  begun=$(milliseconds)
  cores=$(nproc)
  [ "$cores" -le 4 ] || cores=4
  shards=
  for number in $(seq 0 $((cores - 1))); do
    start_shard "$number" "$@"
    shards="$shards $number:$!"
  done
  for shard in $shards; do
    outcome=0
    wait "${shard#*:}" || outcome=$?
    passed "$outcome" || failed=' unit' # once for all of them: nothing failed before
    cat "$log.${shard%:*}"
    rm -f "$log.${shard%:*}"
  done
  shards=
  spent=$(($(milliseconds) - begun))
  say "unit tests took $spent ms"
}

run_unit_tests() {
  say "unit tests (at most $UNIT_BUDGET_S s)"
  # Compiles what a fresh checkout has not compiled yet; that is not a test's time.
  "$environment/bin/python" -m pytest --collect-only --quiet tests/unit >>"$log" 2>&1 || true
  time_unit_tests "$@"
  # A neighbour on a shared machine can only make it slower: the better of two counts.
  if [ "$spent" -gt "$((UNIT_BUDGET_S * 1000))" ]; then time_unit_tests "$@"; fi
  if [ "$spent" -gt "$((UNIT_BUDGET_S * 1000))" ]; then
    say "unit tests are over their budget of $UNIT_BUDGET_S s"
    failed="$failed unit-budget"
  fi
}

# The rest of tests/, in the order in which a fault is cheapest to find.
run_other_tests() {
  folders=
  for folder in tools contract golden lua packaging integration; do
    if [ -n "$fast" ] && [ "$folder" != tools ]; then continue; fi
    [ -z "$(find "tests/$folder" -name 'test_*.py' 2>/dev/null)" ] || folders="$folders tests/$folder"
  done
  say "other tests:$folders"
  outcome=0
  # Most of them wait for processes: a file on each core halves the time. A file is a
  # story on one host, so it stays in one place.
  # shellcheck disable=SC2086  # folder names are words
  "$environment/bin/python" -m pytest --numprocesses "$(nproc)" --maxprocesses 4 --dist loadfile \
    --durations=10 --durations-min=5 $folders "$@" || outcome=$?
  passed "$outcome" || failed="$failed other"
}

main() {
  fast=
  case "${1:-}" in
    --help | -h)
      usage
      return 0
      ;;
    --fast)
      fast=yes
      shift
      ;;
  esac
  selected=$*
  failed=
  repo=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
  cd "$repo"
  # shellcheck source=scripts/packages.sh
  . "$repo/scripts/packages.sh"

  log=$(mktemp -t trtllm-test.XXXXXXXX)
  trap tidy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
  supply_packages
  make_environment
  [ "$(id -u)" -eq 0 ] || say 'skipped: tests on lab hosts (not root)'
  # Debian keeps nginx in sbin, which a user's path may lack.
  PATH=$environment/bin:$PATH:/usr/sbin:/sbin
  export PATH

  run_unit_tests "$@"
  run_other_tests "$@"
  if [ -n "$failed" ]; then
    say "failed:$failed"
    return 1
  fi
}

main "$@"
