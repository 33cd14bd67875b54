"""Writes the certificates of the loopback server. Needs the package cryptography.

authority.pem is the certificate that a client trusts, server.pem the server's for 127.0.0.1, and server.key its key, which
protects nothing.
"""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FOLDER = pathlib.Path(__file__).parent
PEM = serialization.Encoding.PEM


def certificate(name, key, issuer, issuer_key, extensions):
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    builder = x509.CertificateBuilder(*reversed(names), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.datetime(2000, 1, 1)).not_valid_after(datetime.datetime(2200, 1, 1))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(PEM)


authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
authority = "Authority of the tests"
is_authority = [x509.BasicConstraints(ca=True, path_length=None)]
(FOLDER / "authority.pem").write_bytes(certificate(authority, authority_key, authority, authority_key, is_authority))
address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
is_server = [x509.BasicConstraints(ca=False, path_length=None), address]
(FOLDER / "server.pem").write_bytes(certificate("Server", server_key, authority, authority_key, is_server))
pkcs8 = serialization.PrivateFormat.PKCS8
(FOLDER / "server.key").write_bytes(server_key.private_bytes(PEM, pkcs8, serialization.NoEncryption()))
