"""What a connection trusts, and whose it is."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys

import pytest

from nbaudio.backends import connection


def test_where_there_is_tls_the_usual_certificates_are_trusted_and_elsewhere_none() -> None:
    assert connection._certificates("https://api.openai.com/v1") is True
    nobody = connection._certificates("http://localhost:8000/v1")
    assert isinstance(nobody, ssl.SSLContext)
    assert nobody.verify_mode is ssl.CERT_REQUIRED
    assert nobody.check_hostname
    assert nobody.get_ca_certs() == []


FORKS = """
import os
from nbaudio.backends.connection import connection_to
from nbaudio.settings import settings

chosen = settings()
parents = connection_to(chosen.resolve(), chosen)
assert connection_to(chosen.resolve(), chosen) is parents
child = os.fork()
if child == 0:
    childs = connection_to(chosen.resolve(), chosen)
    again = connection_to(chosen.resolve(), chosen)
    # The sockets are the parent's as well, and so they are not closed.
    os._exit(0 if childs is again is not parents and not parents._http.is_closed else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
@pytest.mark.usefixtures("server")
def test_a_process_that_was_forked_has_connections_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], timeout=60)
    assert done.returncode == 0
