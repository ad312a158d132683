"""Keys, certificates and identities of a control plane."""

from __future__ import annotations

import datetime
import ipaddress
import json
import secrets
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Identity -> user and groups. The API server authenticates each by an own token.
IDENTITIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("admin", ("system:masters",)),
    "control": (
        "system:serviceaccount:hami-system:hami-admission",
        ("system:serviceaccounts", "system:serviceaccounts:hami-system"),
    ),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    # All controllers under one account, which then has to have the rights of all of them.
    "controllers": ("system:kube-controller-manager", ("system:masters",)),
    "node-agent": (
        "system:serviceaccount:hami-system:hami-node-agent",
        ("system:serviceaccounts", "system:serviceaccounts:hami-system"),
    ),
    "kubelet": ("system:node:rig-node", ("system:nodes",)),
    "plugin": (
        "system:serviceaccount:kube-system:device-plugin",
        ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:masters"),
    ),
    "user": ("alice", ()),
}


class Authority:
    """A certificate authority whose certificate lies in `file`."""

    def __init__(self, folder: Path, name: str = "test-authority") -> None:
        """Makes the key and writes the certificate into the folder."""
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.crt"
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Files of a serving certificate and its key for host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(name), self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        certificate_file = self._folder / f"{name}.crt"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return certificate_file, write_key(self._folder / f"{name}.key", key)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    """Writes a private key, a new one when none is given."""
    # Not PKCS 8: from this form the API server also takes the public half of the key.
    pem = (key or ec.generate_private_key(ec.SECP256R1())).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)
    return path


class Tokens:
    """One token per identity, and the API server's file of them."""

    def __init__(self, file: Path) -> None:
        """Makes the tokens and writes the file."""
        self.file = file
        self._tokens = {identity: secrets.token_hex(16) for identity in IDENTITIES}
        file.touch(mode=0o600)
        file.write_text("".join(self._line(identity) for identity in IDENTITIES))

    def __getitem__(self, identity: str) -> str:
        """The token of an identity."""
        return self._tokens[identity]

    def _line(self, identity: str) -> str:
        user, groups = IDENTITIES[identity]
        return f'{self._tokens[identity]},{user},{user},"{",".join(groups)}"\n'


def kubeconfig(url: str, ca_file: Path, token: str) -> str:
    """A kubeconfig; JSON is valid YAML."""
    return json.dumps({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {"name": "test", "cluster": {"server": url, "certificate-authority": str(ca_file)}}
        ],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    })


def admission(folder: Path, host: str, certificate: tuple[Path, Path]) -> Path:
    """An AdmissionConfiguration by which the API server shows a certificate to webhooks of a host.

    It does so only to who asks for one.
    """
    file, key = map(str, certificate)
    shown = {"client-certificate": file, "client-key": key}
    users = folder / "webhooks.kubeconfig"
    config = {"apiVersion": "v1", "kind": "Config", "users": [{"name": host, "user": shown}]}
    users.write_text(json.dumps(config))
    webhooks = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": str(users),
    }
    plugins = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")
    path = folder / "admission.json"
    path.write_text(
        json.dumps({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AdmissionConfiguration",
            "plugins": [{"name": each, "configuration": webhooks} for each in plugins],
        })
    )
    return path


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509
        .CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
    )
