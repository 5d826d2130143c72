#!/bin/sh
# Makes the golden files, the shipped schemas, the manual page and the completions anew, and shows what changed.
#
#   scripts/golden-update.sh
#
# PYTHON names an interpreter that has the project's dependencies (default: python3).
set -eu

main() {
  repo=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
  cd "$repo"
  python=${PYTHON:-python3}
  for maker in golden.rendered golden.share nvml.golden_answers; do
    if ! PYTHONPATH=installer:tests "$python" -B -m "$maker"; then
      printf 'error: cannot make the golden files of %s: %s failed\n\n' "$maker" "$python" >&2
      printf 'hint: PYTHON=<python with the dependencies of pyproject.toml> %s\n' "$0" >&2
      exit 1
    fi
  done
  git ls-files --others --exclude-standard -- tests/golden tests/nvml/golden configs/schema configs/share |
    sed 's/^/new: /'
  git --no-pager diff -- tests/golden tests/nvml/golden configs/schema configs/share
}

main "$@"
