#!/bin/sh
# Makes the golden files and the shipped schemas anew, and shows what changed.
#
#   scripts/golden-update.sh
#
# PYTHON names an interpreter that has the project's dependencies (default: python3).
set -eu

main() {
  repo=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
  cd "$repo"
  python=${PYTHON:-python3}
  if ! PYTHONPATH=installer:tests "$python" -B -m golden.rendered; then
    printf 'error: cannot render the golden files: %s failed\n\n' "$python" >&2
    printf 'hint: PYTHON=<python with the dependencies of pyproject.toml> %s\n' "$0" >&2
    exit 1
  fi
  git ls-files --others --exclude-standard -- tests/golden configs/schema |
    sed 's/^/new: /'
  git --no-pager diff -- tests/golden configs/schema
}

main "$@"
