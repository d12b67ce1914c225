"""A small program with one resource of each kind, to show what the simulated providers do.

Its configuration says what to vary; `tests/support/engine_child.py` runs it in another process.
"""

from __future__ import annotations

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes
import pulumi_random as random
import pulumi_tls as tls
from pulumi import ResourceOptions

NAMESPACE = "toy"
_LABELS = {"app": "api"}


def program() -> None:
    """Build everything; `toy:version` is the image's and the ConfigMap's, `toy:protect` guards the claim."""
    config = pulumi.Config("toy")
    version = config.get("version") or "1"
    provider = kubernetes.Provider("kubernetes", kubeconfig="{}", context="none")
    image = docker.Image(
        "image",
        image_name=f"toy:{version}",
        build=docker.DockerBuildArgs(context="toy", dockerfile="toy/Dockerfile"),
        skip_push=True,
        opts=ResourceOptions(provider=docker.Provider("docker")),
    )
    namespace = kubernetes.core.v1.Namespace(
        "namespace",
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name=NAMESPACE),
        opts=ResourceOptions(provider=provider),
    )
    inside = ResourceOptions(provider=provider, depends_on=[namespace])
    kubernetes.core.v1.PersistentVolumeClaim(
        "claim",
        metadata=_metadata("claim"),
        spec=kubernetes.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            resources=kubernetes.core.v1.VolumeResourceRequirementsArgs(requests={"storage": "1Gi"}),
        ),
        opts=ResourceOptions(
            provider=provider, depends_on=[namespace], protect=config.get_bool("protect") or False
        ),
    )
    settings = kubernetes.core.v1.ConfigMap(
        "settings",
        metadata=_metadata(f"settings-{version}"),
        data={"VERSION": version},
        immutable=True,
        opts=inside,
    )
    credentials = _credentials(inside)
    _job(f"work {version}", inside)
    _service(config.get("address") or "10.96.0.10", inside)
    _deployment(image.image_name, settings, credentials, inside)
    pulumi.export("digest", image.repo_digest)
    pulumi.export("settings", settings.metadata.name)


def broken() -> None:
    """A pod that mounts a Secret nobody makes, in a namespace nobody makes where `toy:namespace` is false."""
    provider = kubernetes.Provider("kubernetes", kubeconfig="{}", context="none")
    opts = ResourceOptions(provider=provider)
    if pulumi.Config("toy").get_bool("namespace"):
        namespace = kubernetes.core.v1.Namespace(
            "namespace", metadata=kubernetes.meta.v1.ObjectMetaArgs(name=NAMESPACE), opts=opts
        )
        opts = ResourceOptions(provider=provider, depends_on=[namespace])
    _deployment("toy:1", "settings", "credentials", opts)


def empty() -> None:
    """A program that wants nothing any more."""


def _metadata(name: str) -> kubernetes.meta.v1.ObjectMetaArgs:
    return kubernetes.meta.v1.ObjectMetaArgs(name=name, namespace=NAMESPACE)


def _credentials(opts: ResourceOptions) -> kubernetes.core.v1.Secret:
    """A Secret with a generated password, a signed certificate and its key."""
    keys = ResourceOptions(provider=tls.Provider("tls"))
    password = random.RandomPassword(
        "password", length=24, opts=ResourceOptions(provider=random.Provider("random"))
    )
    key = tls.PrivateKey("key", algorithm="ECDSA", ecdsa_curve="P256", opts=keys)
    authority = tls.SelfSignedCert(
        "authority",
        private_key_pem=key.private_key_pem,
        subject=tls.SelfSignedCertSubjectArgs(common_name="toy"),
        is_ca_certificate=True,
        allowed_uses=["cert_signing"],
        validity_period_hours=24,
        opts=keys,
    )
    request = tls.CertRequest(
        "request", private_key_pem=key.private_key_pem, dns_names=["api.toy.svc"], opts=keys
    )
    certificate = tls.LocallySignedCert(
        "certificate",
        cert_request_pem=request.cert_request_pem,
        ca_private_key_pem=key.private_key_pem,
        ca_cert_pem=authority.cert_pem,
        allowed_uses=["server_auth"],
        validity_period_hours=24,
        opts=keys,
    )
    pulumi.export("authority", authority.cert_pem)
    pulumi.export("certificate", certificate.cert_pem)
    return kubernetes.core.v1.Secret(
        "credentials",
        metadata=_metadata("credentials"),
        string_data={
            "url": pulumi.Output.format("postgresql://app:{0}@db/app", password.result),
            "tls.key": key.private_key_pem,
            "tls.crt": certificate.cert_pem,
        },
        opts=opts,
    )


def _job(text: str, opts: ResourceOptions) -> None:
    """A Job with a name of its own: what changes its template deletes it first."""
    container = kubernetes.core.v1.ContainerArgs(name="job", image="busybox", command=["echo", text])
    kubernetes.batch.v1.Job(
        "job",
        metadata=_metadata("job"),
        spec=kubernetes.batch.v1.JobSpecArgs(
            template=kubernetes.core.v1.PodTemplateSpecArgs(
                spec=kubernetes.core.v1.PodSpecArgs(containers=[container], restart_policy="Never")
            )
        ),
        opts=opts,
    )


def _service(address: str, opts: ResourceOptions) -> None:
    kubernetes.core.v1.Service(
        "service",
        metadata=_metadata("api"),
        spec=kubernetes.core.v1.ServiceSpecArgs(
            cluster_ip=address, selector=_LABELS, ports=[kubernetes.core.v1.ServicePortArgs(port=80)]
        ),
        opts=opts,
    )


def _deployment(
    image: pulumi.Input[str],
    settings: kubernetes.core.v1.ConfigMap | str,
    credentials: kubernetes.core.v1.Secret | str,
    opts: ResourceOptions,
) -> None:
    settings_name = settings if isinstance(settings, str) else settings.metadata.name
    credentials_name = credentials if isinstance(credentials, str) else credentials.metadata.name
    container = kubernetes.core.v1.ContainerArgs(
        name="api",
        image=image,
        env_from=[
            kubernetes.core.v1.EnvFromSourceArgs(
                config_map_ref=kubernetes.core.v1.ConfigMapEnvSourceArgs(name=settings_name)
            ),
            kubernetes.core.v1.EnvFromSourceArgs(
                secret_ref=kubernetes.core.v1.SecretEnvSourceArgs(name=credentials_name)
            ),
        ],
    )
    kubernetes.apps.v1.Deployment(
        "api",
        metadata=_metadata("api"),
        spec=kubernetes.apps.v1.DeploymentSpecArgs(
            selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=_LABELS),
            template=kubernetes.core.v1.PodTemplateSpecArgs(
                metadata=kubernetes.meta.v1.ObjectMetaArgs(labels=_LABELS),
                spec=kubernetes.core.v1.PodSpecArgs(containers=[container]),
            ),
        ),
        opts=opts,
    )
