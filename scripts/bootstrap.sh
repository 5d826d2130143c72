#!/bin/sh
# Makes /opt/trtllm/tool from this checkout or from a bundle, installs what the
# distribution must supply, links /usr/local/bin/trtllm-install and hands its
# arguments to it.
#
# Everything stands in functions and main is called on the last line: a copy that
# was cut short defines functions and does nothing.
set -eu

PREFIX=/opt/trtllm
TOOL=$PREFIX/tool
COMMAND_LINK=/usr/local/bin/trtllm-install
SHARE=/usr/local/share
RECEIPT=/var/lib/trtllm/receipt.json
LOCK=/run/trtllm-bootstrap.lock

usage() {
  cat <<'TEXT'
Usage: sudo scripts/bootstrap.sh [ARGUMENT OF trtllm-install]...
       sudo scripts/bootstrap.sh --remove
       sudo ./bootstrap.sh --bundle FILE [--bundle-sha256 HASH] [ARGUMENT]...
       sudo ./bootstrap.sh --only-tool [--dry-run] [--from WHAT | --bundle FILE]

Makes the tool (/opt/trtllm/tool) from this checkout, installs what the
distribution must supply for it (Python's venv module), links
/usr/local/bin/trtllm-install and hands every argument to it. Run again, it
changes nothing that is already right. Packages of the proxy are part of what
`trtllm-install plan` shows.

  --bundle   take the tool, the packages and the engine from a bundle that
             `trtllm-install bundle create` made; no network is used
  --only-tool
             make the tool and end: prints {"changed": true} if it or a package was
             not as it is now, else {"changed": false}; with --dry-run nothing is made
  --from     with --only-tool: a wheel of the tool, or trtllm-install==VERSION
  --help     show this text; `trtllm-install --help` shows the tool's own
  --remove   remove the tool and its link; packages stay
             (run `trtllm-install uninstall` first)

Examples:
  sudo scripts/bootstrap.sh --profile multi --simulate   # a host without a GPU
  sudo scripts/bootstrap.sh --profile multi              # a GPU host

pip's own settings are honoured (PIP_INDEX_URL, PIP_NO_INDEX, PIP_FIND_LINKS,
/etc/pip.conf, ...): docs/howto/offline.md shows a host without a network.
TEXT
}

say() { printf 'bootstrap: %s\n' "$1" >&2; }

# fail CODE MESSAGE HINT
fail() {
  printf 'error: %s\n\nhint: %s\n' "$2" "$3" >&2
  exit "$1"
}

# --- putting things back -------------------------------------------------------

log=
building=
staging=
only_tool=
dry_run=
bundle=
from=

# Runs at every end but the last exec: nothing half-made stays behind.
tidy() {
  [ -z "$building" ] || rm -rf "$building"
  [ -z "$log" ] || rm -f "$log"
  [ -z "$staging" ] || rm -rf "$staging"
  building=
  log=
  staging=
}

# fail_with_log CODE MESSAGE HINT: the end of the log says more than we can.
fail_with_log() {
  tail -n 20 "$log" | sed 's/^/  | /' >&2
  say "the whole log is $log"
  log=
  fail "$@"
}

# take_lock SECONDS: another bootstrap is waited for.
take_lock() {
  command -v flock >/dev/null || return 0
  exec 9>>"$LOCK"
  if ! flock --timeout "${1:-0}" 9; then
    fail 7 "cannot start: another bootstrap is at work (pid $(cat "$LOCK"))" \
      'wait for it to end, then run this again; --lock-timeout S waits for it'
  fi
  echo "$$" >"$LOCK"
}

# --- what the distribution supplies --------------------------------------------

# What it prints counts: other programs end with 0 as well.
is_recent_python() {
  [ "$("$1" -c 'import sys; print(sys.version_info >= (3, 10))' 2>/dev/null)" = True ]
}

# Whoever names a Python wants that one, and no other in its place.
refuse_other_python() {
  if [ -n "${TRTLLM_PYTHON:-}" ] && ! is_recent_python "$TRTLLM_PYTHON"; then
    fail 3 "cannot use $TRTLLM_PYTHON (TRTLLM_PYTHON): it is no Python 3.10 or newer" \
      "run: $TRTLLM_PYTHON --version"
  fi
}

# The system's own Python comes first: the services run as user trtllm, who cannot
# read a Python that lives in somebody's home.
find_python() {
  for candidate in "${TRTLLM_PYTHON:-}" /usr/bin/python3 /usr/bin/python3.14 \
    /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3.10 \
    /usr/local/bin/python3; do
    [ -n "$candidate" ] || continue
    if is_recent_python "$candidate"; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# One name a line; empty when the host has everything.
missing_packages() {
  if ! missing_python=$(find_python); then
    echo python3
    echo python3-venv
  elif ! "$missing_python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo python3-venv
  fi
}

# For hosts without apt, where package names are not known to us.
require_without_apt() {
  if ! python=$(find_python) || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    fail 3 'cannot make the tool: no Python 3.10 or newer with its venv module, and no apt-get to install one' \
      'install Python 3.10 or newer with venv and pip, then run this again'
  fi
}

# The packages of a bundle that Python needs; those of the proxy are left to the tool.
install_python_debs() {
  absent=
  for deb in "$staging"/bundle/packages/python3*.deb "$staging"/bundle/packages/libpython3*.deb; do
    [ -e "$deb" ] || continue
    is_installed "$(dpkg-deb --field "$deb" Package)" || absent="$absent $deb"
  done
  [ -n "$absent" ] || return 0
  say 'installing the Python packages of the bundle'
  # shellcheck disable=SC2086  # our own folder has no blanks, and neither has a package's name
  apt_get install --no-install-recommends --no-remove $absent
}

supply_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    require_without_apt
    return 0
  fi
  if [ -n "$staging" ] && [ -n "$(missing_packages)" ]; then
    install_python_debs ||
      fail_with_log 3 'cannot install the packages of the bundle: apt-get failed' \
        'mend what the log names, then run this again'
  fi
  missing=$(missing_packages | xargs)
  if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # package names are words
    install_packages $missing ||
      fail_with_log 3 "cannot install packages: apt-get failed for $missing" \
        "mend what the log names, or run: sudo apt-get install $missing"
  fi
  if ! python=$(find_python); then
    fail 3 'cannot make the tool: this distribution has no Python 3.10 or newer' \
      'install one and name it: sudo TRTLLM_PYTHON=/path/to/python3 scripts/bootstrap.sh'
  fi
}

# --- a bundle --------------------------------------------------------------------

# The value of an option among the arguments, which stay as they are; empty without it.
value_of() {
  wanted=$1
  shift
  while [ "$#" -gt 0 ]; do
    case "$1" in
      "$wanted") printf '%s' "${2:-}" && return 0 ;;
      "$wanted"=*) printf '%s' "${1#"$wanted"=}" && return 0 ;;
    esac
    shift
  done
}

# open_bundle FILE HASH: checks every byte of it, then unpacks it where only root can
# write. The code that does is the tool's own; it needs nothing but Python.
open_bundle() {
  if ! python=$(find_python); then
    fail 3 'cannot open the bundle: no Python 3.10 or newer is here' \
      'install the python3 of the distribution first: sudo dpkg --install packages/*.deb'
  fi
  staging=$(mktemp -d /var/tmp/trtllm-bundle.XXXXXXXX)
  say "checking and unpacking $1"
  if [ -f "$repo/pyproject.toml" ]; then
    code=$repo/installer
  elif [ -f "$repo/manifest.json" ]; then
    code=$(echo "$repo"/wheels/trtllm_install-*.whl)
  else
    # This script was brought here without the rest: by Ansible, say.
    tar --extract --file "$1" --directory "$staging" \
      --wildcards 'wheels/trtllm_install-*.whl' 2>/dev/null ||
      fail 2 "cannot open the bundle: no trtllm-install is in $1" \
        'name a file that trtllm-install bundle create made'
    code=$(echo "$staging"/wheels/trtllm_install-*.whl)
  fi
  "$python" -IBc 'import sys
sys.path.insert(0, sys.argv[1])
from trtllm_install.cli.main import main
sys.exit(main(sys.argv[2:]))' \
    "$code" bundle unpack --here ${2:+--bundle-sha256 "$2"} "$1" "$staging/bundle" >/dev/null || exit $?
}

# --- the tool ------------------------------------------------------------------

# What the tool is made of: the content of the checkout or the bundle, and its Python.
tool_key() {
  {
    "$python" -c 'import sys; print(sys.executable, sys.version)'
    if [ -n "$staging" ]; then
      cat "$staging/bundle/wheels/requirements.txt"
    elif [ -n "$bundle" ]; then
      tar --extract --to-stdout --file "$bundle" wheels/requirements.txt 2>/dev/null
    elif [ -n "$from" ]; then
      if [ -f "$from" ]; then sha256sum <"$from"; else echo "$from"; fi
    else
      cd "$repo"
      find pyproject.toml README.md LICENSE installer templates configs \
        scripts/bootstrap.sh scripts/packages.sh \
        -type f ! -name '*.pyc' -exec sha256sum {} + | LC_ALL=C sort
    fi
  } | sha256sum | cut -c 1-12
}

# install_tool PYTHON: what pip is told to put into the new environment.
install_tool() {
  if [ -n "$staging" ]; then
    set -- "$1" --no-index --find-links "$staging/bundle/wheels" \
      --require-hashes --requirement "$staging/bundle/wheels/requirements.txt"
  elif [ -n "$from" ]; then
    set -- "$1" "$from"
  else
    set -- "$1" "$repo"
  fi
  interpreter=$1
  shift
  "$interpreter" -m pip install --no-input --no-cache-dir --disable-pip-version-check "$@" \
    </dev/null >>"$log" 2>&1 9>&-
}

check_places() {
  if [ -e "$TOOL" ] && [ ! -L "$TOOL" ]; then
    fail 3 "cannot switch $TOOL: it is not a link that we made" \
      "move it away (mv $TOOL $TOOL.old), then run this again"
  fi
  if ! is_our_link && { [ -e "$COMMAND_LINK" ] || [ -L "$COMMAND_LINK" ]; }; then
    fail 3 "cannot link $COMMAND_LINK: something that is not ours is there" \
      "move it away (mv $COMMAND_LINK $COMMAND_LINK.old), then run this again"
  fi
}

is_our_link() {
  [ -L "$COMMAND_LINK" ] && [ "$(readlink "$COMMAND_LINK")" = "$TOOL/bin/trtllm-install" ]
}

# A script of a virtual environment carries the environment's path in its first
# line, so the new one is built under the name that it keeps, beside the old one.
build_tool() {
  say "building the tool in $1"
  rm -rf "$1"
  building=$1
  mkdir -p "$PREFIX"
  if ! "$python" -m venv "$1" >>"$log" 2>&1 9>&-; then
    fail_with_log 4 "cannot make a virtual environment: $python -m venv failed" \
      'mend what the log names, then run this again; the tool that was here still works'
  fi
  if ! install_tool "$1/bin/python"; then
    fail_with_log 4 'cannot install the tool: pip failed' \
      'without a network see docs/howto/offline.md; the tool that was here still works'
  fi
  if ! "$1/bin/trtllm-install" --help >>"$log" 2>&1 9>&-; then
    fail_with_log 4 'cannot use the new tool: trtllm-install --help failed' \
      'use a checkout whose tests pass; the tool that was here still works'
  fi
  : >"$1/.complete"
  sync -f "$1" 2>/dev/null || sync
  building=
}

switch_tool() {
  [ "$(readlink "$TOOL" 2>/dev/null)" != "$1" ] || return 0
  ln -s "$1" "$PREFIX/.tool.$$"
  mv -T "$PREFIX/.tool.$$" "$TOOL"
}

# An old tool goes when no process runs from it any more; a later run looks again.
drop_old_tools() {
  for old in "$PREFIX"/tool-*; do
    if [ ! -d "$old" ] || [ "${old##*/}" = "$1" ]; then continue; fi
    # The pattern comes by stdin: as an argument it would find grep's own command line.
    # shellcheck disable=SC2062  # the glob names files, the pattern is on stdin
    if printf '%s/\n' "$old" | grep -qsF -f - /proc/[0-9]*/cmdline; then continue; fi
    rm -rf "$old"
  done
}

link_command() {
  [ ! -L "$COMMAND_LINK" ] || return 0
  mkdir -p "${COMMAND_LINK%/*}"
  ln -s "$TOOL/bin/trtllm-install" "$COMMAND_LINK"
}

# The manual page and the completions, where man and shells look for local ones.
link_shared() {
  for shipped in "$TOOL"/lib/python*/site-packages/trtllm_install/_data/configs/share; do
    [ -d "$shipped" ] || continue
    (cd "$shipped" && find . -type f) | while read -r file; do
      place=$SHARE/${file#./}
      if [ -e "$place" ] && ! is_shared_link "$place"; then continue; fi
      mkdir -p "${place%/*}"
      ln -sfn "$shipped/${file#./}" "$place"
    done
  done
}

is_shared_link() {
  [ -L "$1" ] || return 1
  case "$(readlink "$1")" in
    "$TOOL"/*) return 0 ;;
  esac
  return 1
}

unlink_shared() {
  for place in "$SHARE/man/man1/trtllm-install.1" \
    "$SHARE/bash-completion/completions/trtllm-install" \
    "$SHARE/zsh/site-functions/_trtllm-install" \
    "$SHARE/fish/vendor_completions.d/trtllm-install.fish"; do
    if is_shared_link "$place"; then rm -f "$place"; fi
    rmdir "${place%/*}" 2>/dev/null || true
  done
  rmdir "$SHARE/bash-completion" "$SHARE/zsh" "$SHARE/fish" 2>/dev/null || true
}

make_tool() {
  name=tool-$(tool_key)
  if [ ! -e "$PREFIX/$name/.complete" ] || [ ! -x "$PREFIX/$name/bin/python" ]; then
    build_tool "$PREFIX/$name"
  fi
  switch_tool "$name"
  link_command
  link_shared
  drop_old_tools "$name"
}

# Tells whether a run would find everything as it would make it. Nothing is trusted that
# comes out of a bundle here: it is only compared.
is_settled() {
  python=$(find_python) || return 1
  if command -v dpkg-query >/dev/null && [ -n "$(missing_packages)" ]; then return 1; fi
  name=tool-$(tool_key)
  [ -e "$PREFIX/$name/.complete" ] && [ "$(readlink "$TOOL" 2>/dev/null)" = "$name" ] &&
    is_our_link
}

# answer_only_tool: ends the run where there is nothing to make, or nothing may be made.
answer_only_tool() {
  if is_settled; then
    echo '{"changed": false}'
    exit 0
  fi
  if [ -n "$dry_run" ]; then
    echo '{"changed": true}'
    exit 0
  fi
}

check_from() {
  case "$from" in
    trtllm-install==?* | '') return 0 ;;
    *.whl) [ ! -f "$from" ] || return 0 ;;
  esac
  fail 2 "cannot make the tool from $from: neither a wheel that is here nor trtllm-install==VERSION" \
    'run: bootstrap.sh --help'
}

remove_tool() {
  if [ -e "$RECEIPT" ]; then
    fail 3 'cannot remove the tool: an installation that needs it is still here' \
      'run: sudo trtllm-install uninstall'
  fi
  if is_our_link; then rm -f "$COMMAND_LINK"; fi
  unlink_shared
  if [ -L "$TOOL" ]; then rm -f "$TOOL"; fi
  rm -rf "$PREFIX"/tool-*
  rmdir "$PREFIX" 2>/dev/null || true
  say 'removed the tool'
}

main() {
  case "${1:-}" in
    --help | -h)
      usage
      return 0
      ;;
  esac
  if [ "$(id -u)" -ne 0 ]; then
    fail 8 'cannot install: not root' "run: sudo $0 $*"
  fi
  scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
  if [ "${1:-}" = --only-tool ]; then
    only_tool=yes
    shift
    if [ "${1:-}" = --dry-run ]; then
      dry_run=yes
      shift
    fi
    from=$(value_of --from "$@")
    check_from
  fi
  bundle=$(value_of --bundle "$@")
  repo=${scripts%/*}
  if [ -f "$scripts/manifest.json" ]; then
    repo=$scripts
    [ -n "$bundle" ] || [ "${1:-}" = --remove ] ||
      fail 2 'cannot make the tool: no bundle was named' "run: sudo $0 --bundle FILE $*"
  elif [ -z "$from$bundle" ]; then
    [ -f "$repo/pyproject.toml" ] ||
      fail 2 "cannot make the tool: $repo is not a checkout" \
        'run scripts/bootstrap.sh of a whole checkout'
  fi

  # shellcheck source=scripts/packages.sh
  . "$scripts/packages.sh"

  umask 022
  unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER
  trap tidy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  [ "${1:-}" = --remove ] || refuse_other_python
  [ -z "$only_tool" ] || answer_only_tool
  take_lock "$(value_of --lock-timeout "$@")"
  if [ "${1:-}" = --remove ]; then
    [ "$#" -eq 1 ] || fail 2 'cannot remove: --remove stands alone' "run: sudo $0 --remove"
    remove_tool
    return 0
  fi
  check_places
  [ -z "$bundle" ] || open_bundle "$bundle" "$(value_of --bundle-sha256 "$@")"
  log=$(mktemp -t trtllm-bootstrap.XXXXXXXX)
  supply_packages
  make_tool
  tidy
  trap - EXIT INT TERM HUP
  if [ -n "$only_tool" ]; then
    echo '{"changed": true}'
    return 0
  fi
  # The lock ends here: the tool has one of its own, and its services must not hold ours.
  exec "$TOOL/bin/trtllm-install" "$@" 9>&-
}

main "$@"
