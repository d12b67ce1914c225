"""A certificate authority of the stack, so that PostgreSQL and Redis in the cluster speak TLS that clients can verify.

Its key never leaves the state, where it stands encrypted. Managed databases bring their own authority.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_tls as tls

HOURS_PER_DAY = 24
AUTHORITY_DAYS = 3650
"""Ten years: a new authority would make every pod start anew."""

SERVER_DAYS = 825
"""The longest life of a server certificate that all common clients take. Source: CA/Browser Forum ballot 193."""

RENEWAL_DAYS = 60
"""Days before the end from which `pulumi up` makes a new certificate."""

ALGORITHM = "ECDSA"
CURVE = "P256"


@dataclass(frozen=True)
class ServerCertificate:
    """What a server needs to speak TLS, in PEM.

    Attributes:
        certificate: its certificate.
        private_key: its key, a secret.
    """

    certificate: pulumi.Output[str]
    private_key: pulumi.Output[str]


class CertificateAuthority(pulumi.ComponentResource):
    """The authority of one stack.

    Attributes:
        certificate: the authority's own certificate in PEM, for clients to trust.
    """

    certificate: pulumi.Output[str]

    def __init__(self, name: str, *, app: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Create the authority.

        Args:
            name: the name of the component.
            app: the name of the application, which stands in the certificate's subject.
            opts: the options of the component.
        """
        super().__init__("slipway:certificates:CertificateAuthority", name, None, opts)
        self._key = self._private_key(name, self)
        certificate = tls.SelfSignedCert(
            name,
            private_key_pem=self._key,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{app} internal authority", organization=app),
            is_ca_certificate=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=AUTHORITY_DAYS * HOURS_PER_DAY,
            early_renewal_hours=RENEWAL_DAYS * HOURS_PER_DAY,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.certificate = certificate.cert_pem
        self.register_outputs({"certificate": self.certificate})

    def issue(self, name: str, dns_names: Sequence[str], *, parent: pulumi.Resource) -> ServerCertificate:
        """Sign the certificate of a server.

        Args:
            name: the name of the server's resources.
            dns_names: the host names by which clients reach it; the first is the subject.
            parent: the component that the server belongs to.
        """
        key = self._private_key(name, parent)
        request = tls.CertRequest(
            name,
            private_key_pem=key,
            dns_names=list(dns_names),
            subject=tls.CertRequestSubjectArgs(common_name=dns_names[0]),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        certificate = tls.LocallySignedCert(
            name,
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self._key,
            ca_cert_pem=self.certificate,
            allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
            validity_period_hours=SERVER_DAYS * HOURS_PER_DAY,
            early_renewal_hours=RENEWAL_DAYS * HOURS_PER_DAY,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return ServerCertificate(certificate=certificate.cert_pem, private_key=key)

    @staticmethod
    def _private_key(name: str, parent: pulumi.Resource) -> pulumi.Output[str]:
        key = tls.PrivateKey(
            f"{name}-key",
            algorithm=ALGORITHM,
            ecdsa_curve=CURVE,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return pulumi.Output.secret(key.private_key_pem)


def service_dns_names(service: str, namespace: str) -> list[str]:
    """Return the host names by which pods reach a Service: from its own namespace, and from others."""
    return [
        service,
        f"{service}.{namespace}",
        f"{service}.{namespace}.svc",
        f"{service}.{namespace}.svc.cluster.local",
    ]
