"""Traces by OpenTelemetry and errors by Sentry, each only when the environment says where to send them.

Their packages take 40 MB of memory between them, so they are imported only then.
"""

from slipway_app.settings import ProcessSettings


def configure(settings: ProcessSettings, process: str) -> None:
    """Begin to send traces and errors, where that is configured. FastAPI makes the spans of its requests.

    Args:
        settings: where to.
        process: what this process is, e.g. `api` or `worker`; the name of the service in traces.
    """
    if settings.sentry_dsn is not None:
        _configure_sentry(settings, settings.sentry_dsn.get_secret_value(), process)
    if settings.otel_exporter_otlp_endpoint is not None:
        _configure_traces(settings, settings.otel_exporter_otlp_endpoint, process)


def _configure_sentry(settings: ProcessSettings, dsn: str, process: str) -> None:
    import sentry_sdk

    sentry_sdk.init(
        dsn,
        environment=settings.environment,
        # Messages and addresses of users stay here.
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )
    sentry_sdk.set_tag("process", process)


def _configure_traces(settings: ProcessSettings, endpoint: str, process: str) -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {"service.name": f"slipway-{process}", "deployment.environment.name": settings.environment}
    )
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    PsycopgInstrumentor().instrument()
    RedisInstrumentor().instrument()  # pyright: ignore[reportUnknownMemberType]
