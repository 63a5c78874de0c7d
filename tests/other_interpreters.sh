#!/bin/sh
# The unit tests on the oldest and the newest Python of this machine (3.10 and up), each in an environment of its own,
# and a few of them where only the base dependencies are installed.
set -eu
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1

versions() { # every Python on the path and in pyenv, as "minor path", oldest first
    for python in $(for minor in 10 11 12 13 14 15; do command -v "python3.$minor" || true; done) \
        "$(command -v python3)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python; do
        [ -x "$python" ] || continue
        minor=$("$python" -c 'import sys; print(sys.version_info[1])' 2>/dev/null) || continue
        [ "$minor" -ge 10 ] && echo "$minor $python"
    done | sort -n -u -k1,1
}

environment() { # NAME PYTHON WHAT...: an environment with these packages, made once per pyproject.toml
    name=$1 python=$2
    shift 2
    if [ ! -e "$name/.installed" ] || [ pyproject.toml -nt "$name/.installed" ]; then
        echo "Making $name with $("$python" --version) ..."
        "$python" -m venv "$name"
        "$name/bin/python" -m pip install --quiet --upgrade pip
        "$name/bin/python" -m pip install --quiet "$@"
        touch "$name/.installed"
    fi
}

usual=$(.venv/bin/python -c 'import sys; print(sys.version_info[1])')
all=$(versions)
for which in head tail; do
    line=$(echo "$all" | $which -n 1)
    minor=${line%% *} python=${line#* }
    [ "$minor" = "$usual" ] && continue
    environment ".venv-3.$minor" "$python" --editable '.[offline]' --group unit
    echo "The unit tests on $("$python" --version):"
    ".venv-3.$minor/bin/python" -m pytest -q -n 2 --dist loadfile --ignore=tests/ui --ignore=tests/test_notebooks.py
done

environment .venv-base "$(command -v python3)" --editable . --group unit
echo "The tests that need no offline engine, with the base dependencies only:"
.venv-base/bin/python -m pytest -q -n 2 -m "not offline" tests/test_clip.py tests/test_request_errors.py \
    tests/test_five_ways.py tests/test_base_only.py tests/magics tests/wire tests/display
