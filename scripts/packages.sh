# shellcheck shell=sh
# Debian packages, installed without disturbing what runs on this host.
# Sourced by bootstrap.sh and test.sh, which define say() and name a file in $log.
# shellcheck disable=SC2154  # log is theirs

POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# put here by trtllm bootstrap for the time of one package install'
policy_is_ours=
nginx_is_awaited=

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

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

# apt_get ARGUMENT...: waits for another apt instead of failing; talk goes to the log.
apt_get() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 \
    apt-get --yes -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" \
    </dev/null >>"$log" 2>&1 9>&-
}

# The lock of the package lists is the one that DPkg::Lock::Timeout does not cover.
update_lists() {
  say 'reading the package lists (apt-get update)'
  tries=0
  until apt_get update; do
    tries=$((tries + 1))
    if [ "$tries" -ge 30 ] || ! tail -n 5 "$log" | grep -q 'Could not get lock'; then
      return 1
    fi
    sleep 5
  done
}

have_lists() {
  for list in /var/lib/apt/lists/*_Packages*; do
    [ -e "$list" ] && return 0
  done
  return 1
}

# install_packages NAME...: what is here stays as it is (no upgrade, no removal).
install_packages() {
  say "installing packages: $*"
  hold_services
  have_lists || update_lists || true
  outcome=0
  apt_install "$@" || { update_lists && apt_install "$@"; } || outcome=1
  release_services
  return "$outcome"
}

apt_install() {
  apt_get install --no-install-recommends --no-upgrade --no-remove "$@"
}

# install_debs FOLDER: the packages of a folder that are not here; no network, no upgrade.
install_debs() {
  set -- "$1" "$1"/*.deb
  folder=$1
  shift
  absent=
  for deb in "$@"; do
    [ -e "$deb" ] || continue
    is_installed "$(dpkg-deb --field "$deb" Package)" || absent="$absent $deb"
  done
  [ -n "$absent" ] || return 0
  say "installing packages of the bundle from $folder"
  hold_services
  outcome=0
  # shellcheck disable=SC2086  # our own folder has no blanks, and neither has a package's name
  apt_get install --no-install-recommends --no-remove $absent || outcome=1
  release_services
  return "$outcome"
}
