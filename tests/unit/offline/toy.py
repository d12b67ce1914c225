"""A small program with what is hard about recording: secrets, unknown values, names from hashes, components."""

import hashlib
import hmac

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes
import pulumi_random as random
import pulumi_tls as tls
from pulumi import Output, ResourceOptions

from slipway.offline.model import Record
from slipway.offline.record import record

SECRET_VALUE = "correct-horse-battery"
CONFIG = {"toy:replicas": "2", "secrets:apiKey": SECRET_VALUE}


class Service(pulumi.ComponentResource):
    """A Deployment with an autoscaler, a Secret of its own and an image that is built."""

    def __init__(
        self, name: str, key: Output[str], provider: kubernetes.Provider, image: pulumi.Input[str]
    ) -> None:
        super().__init__("toy:service:Service", name)
        child = ResourceOptions(parent=self, provider=provider)
        randomness = random.Provider(f"{name}-random", opts=ResourceOptions(parent=self))
        password = random.RandomPassword(
            f"{name}-password", length=32, opts=ResourceOptions(parent=self, provider=randomness)
        )
        name_key = random.RandomBytes(
            f"{name}-key", length=32, opts=ResourceOptions(parent=self, provider=randomness)
        )
        url = Output.concat("postgresql://app:", password.result, "@postgres:5432/app")
        self.secret = kubernetes.core.v1.Secret(
            f"{name}-env",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=hashed_name(f"{name}-env", name_key.hex, url), namespace="toy"
            ),
            string_data={"DATABASE_URL": url, "API_KEY": key},
            immutable=True,
            opts=child,
        )
        self.deployment = kubernetes.apps.v1.Deployment(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name, namespace="toy"),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels={"app": name}),
                template=kubernetes.core.v1.PodTemplateSpecArgs(
                    metadata=kubernetes.meta.v1.ObjectMetaArgs(labels={"app": name, "number": "1e3"}),
                    spec=kubernetes.core.v1.PodSpecArgs(containers=[self._container(name, image)]),
                ),
            ),
            opts=child,
        )
        kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name, namespace="toy"),
            spec=kubernetes.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
                min_replicas=2,
                max_replicas=6,
                scale_target_ref=kubernetes.autoscaling.v2.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=name
                ),
            ),
            opts=child,
        )
        self.register_outputs({"name": name})

    def _container(self, name: str, image: pulumi.Input[str]) -> kubernetes.core.v1.ContainerArgs:
        return kubernetes.core.v1.ContainerArgs(
            name=name,
            image=image,
            env_from=[
                kubernetes.core.v1.EnvFromSourceArgs(
                    secret_ref=kubernetes.core.v1.SecretEnvSourceArgs(name=self.secret.metadata.name)
                )
            ],
            resources=kubernetes.core.v1.ResourceRequirementsArgs(
                requests={"cpu": "100m", "memory": "128Mi"}, limits={"memory": "0.25Gi"}
            ),
        )


def hashed_name(base: str, key: Output[str], value: Output[str]) -> Output[str]:
    """A name that changes with a secret value and tells nothing of it."""

    def write(pair: list[str]) -> str:
        return f"{base}-{hmac.new(pair[0].encode(), pair[1].encode(), hashlib.sha256).hexdigest()[:10]}"

    return Output.unsecret(Output.all(key, value).apply(write))


def program() -> None:
    """The whole toy."""
    provider = kubernetes.Provider("kubernetes", kubeconfig="/nowhere/config", context="toy")
    kubernetes.core.v1.Namespace(
        "toy", metadata=kubernetes.meta.v1.ObjectMetaArgs(name="toy"), opts=ResourceOptions(provider=provider)
    )
    image = docker.Image(
        "image",
        image_name="registry.example/toy:abc",
        build=docker.DockerBuildArgs(context="./app"),
        opts=ResourceOptions(provider=docker.Provider("docker", host="unix:///nowhere/docker.sock")),
    )
    key = tls.PrivateKey("ca", algorithm="ED25519", opts=ResourceOptions(provider=tls.Provider("tls")))
    service = Service("api", pulumi.Config("secrets").require_secret("apiKey"), provider, image.repo_digest)
    pulumi.log.warn("the key of the vendor is " + SECRET_VALUE)
    pulumi.log.info("said in passing")
    pulumi.export("namespace", "toy")
    pulumi.export("secret", service.secret.string_data)
    pulumi.export("status", service.deployment.status)
    pulumi.export("caPublicKey", key.public_key_pem)


def recorded(**changes: bool) -> Record:
    """The record of the toy."""
    return record(
        program, project="toy", stack="dev", config=CONFIG, secret_keys={"secrets:apiKey"}, **changes
    )
