# shellcheck shell=sh
# Debian packages, installed without changing those that are here.
# Sourced by bootstrap.sh and test.sh, which define say() and name a file in $log.
# shellcheck disable=SC2154  # log is theirs

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
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
  have_lists || update_lists || true
  apt_install "$@" || { update_lists && apt_install "$@"; }
}

apt_install() {
  apt_get install --no-install-recommends --no-upgrade --no-remove "$@"
}
