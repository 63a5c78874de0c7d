"""What a connection trusts."""

from __future__ import annotations

import ssl

from nbaudio.backends import connection


def test_where_there_is_tls_the_usual_certificates_are_trusted_and_elsewhere_none() -> None:
    assert connection._certificates("https://api.openai.com/v1") is True
    nobody = connection._certificates("http://localhost:8000/v1")
    assert isinstance(nobody, ssl.SSLContext)
    assert nobody.verify_mode is ssl.CERT_REQUIRED
    assert nobody.check_hostname
    assert nobody.get_ca_certs() == []
