#!/bin/sh
# Runs the fault matrix under both supervisors and writes docs/reference/fault-matrix.md.
#
#   sudo scripts/fault-matrix.sh
#
# Takes about eight minutes. PYTHON names an interpreter that has the project's dependencies
# and those of its tests (default: python3).
set -eu

repo=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$repo"
PYTHONPATH=installer:tests exec "${PYTHON:-python3}" -B -m lab.fault_matrix
