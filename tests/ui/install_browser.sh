#!/bin/sh
# Sees to it that a Chromium or Chrome starts for the browser tests: sh tests/ui/install_browser.sh PYTHON
# Says nothing where one does already. PYTHON is the interpreter that has Playwright.
set -u
python=${1:?usage: install_browser.sh PYTHON}
browser="$(dirname "$0")/browser.py"

starts() { "$python" "$browser" >/dev/null 2>&1; }

"$python" -c 'import playwright' 2>/dev/null || {
    echo "install_browser.sh: $python has no Playwright. Install it: $python -m pip install --group test" >&2
    exit 1
}
starts && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium with apt-get (about 100 MB, once) ..."
    # Without a font a page has no text that could be seen.
    if apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
            chromium fonts-dejavu-core >/dev/null; then
        starts && exit 0
    fi
fi

echo "Installing Chromium with Playwright (about 200 MB, once) ..."
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    "$python" -m playwright install --with-deps chromium
else
    "$python" -m playwright install chromium
fi
starts && exit 0

echo "install_browser.sh: no Chromium or Chrome starts here, and none could be installed:" >&2
"$python" "$browser" >&2
echo "Install one as this system does it, so that chromium or google-chrome is a command, and run this again." >&2
exit 1
