#!/bin/sh
# Installs the project into an environment: sh requirements/install.sh PYTHON search|full|test
# Each package is one whose hash is written here, or pip refuses it; sources, which would run while they are built, too.
set -eu
cd "$(dirname "$0")/.."
python=$1 needs=$2
pip() { "$python" -m pip "$@" --quiet --disable-pip-version-check; }
locked() { pip install --no-deps --only-binary :all: --require-hashes --requirement "requirements/$1.txt"; }
locked "$needs"
locked torch-cpu 2>/dev/null || locked torch
pip install --no-deps --no-build-isolation --editable .
pip check
