#!/bin/sh
# The unit tests where only the base dependencies are installed, on the oldest and the newest Python of this machine
# (3.10 and up), each in an environment of its own. Left out are what needs the offline engine, one of the two ways in
# which a page sends to each kernel, and what takes long and asks nothing of the interpreter.
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

all=$(versions)
echo "$all" | sed -n '1p;$p' | uniq | while read -r minor python; do
    environment ".venv-3.$minor-base" "$python" --editable . --group unit
    ".venv-3.$minor-base/bin/python" tests/nodejs.py
    echo "The unit tests without the offline engine on $("$python" --version):"
    ".venv-3.$minor-base/bin/python" -m pytest -q -n 2 --dist loadfile -m "not offline" tests nbaudio \
        -k "not (6.31.0-main or 7.3.0-main or 7.4.0-main)" --ignore=tests/ui --ignore=tests/engine \
        --ignore=nbaudio/engine --ignore=nbaudio/serving --ignore=tests/serving --ignore=tests/judges \
        --ignore=tests/test_notebooks.py --ignore=tests/journal/test_kill.py --ignore=tests/test_hostile.py \
        --ignore=tests/test_fuzz.py </dev/null
done
