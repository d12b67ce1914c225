"""What a service may say of itself: its role, its ports, its probes, its time to stop."""

from typing import Any, get_args

import pytest

from components.workload.section import CachePreset, Probe, ResiliencePreset, Scaling, Service
from tests.support.sections import accept, refusal
from tests.support.stacks import PROBES, RESOURCES

API: dict[str, Any] = {"role": "api", "port": 8000, "probes": PROBES, "resources": RESOURCES}
WORKER: dict[str, Any] = {"role": "worker", "resources": RESOURCES}


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key not in names}


@pytest.mark.parametrize("service", [API, {**API, "role": "frontend"}, WORKER])
def test_each_role_in_its_smallest_form_is_accepted(service: dict[str, Any]) -> None:
    found = accept(Service, service)
    assert (found.user_id, found.writable_paths, found.internet) == (1000, ("/tmp",), False)


@pytest.mark.parametrize("role", ["api", "frontend"])
def test_a_service_that_answers_requests_has_a_port(role: str) -> None:
    text = refusal(Service, {**without(API, "port", "probes"), "role": role})
    assert f"a service of role {role} without a port | Its Service would have nothing to send" in text
    assert "Give `port`, such as 8000, or write `role: worker`." in text


@pytest.mark.parametrize(
    "reached", [{"port": 8000, "probes": PROBES}, {"routes": ({"host": "w.example.com"},)}]
)
def test_a_worker_has_neither_port_nor_routes(reached: dict[str, Any]) -> None:
    text = refusal(Service, {**WORKER, **reached})
    assert "a worker with a port or routes | Workers get neither a Service nor an ingress" in text


@pytest.mark.parametrize(("port", "legal"), [(1023, False), (1024, True), (65535, True), (65536, False)])
def test_a_port_is_one_that_needs_no_privilege(port: int, legal: bool) -> None:
    assert (refusal(Service, {**API, "port": port}) == "") == legal


def test_a_service_with_a_port_has_probes() -> None:
    text = refusal(Service, without(API, "probes"))
    assert "without probes | Pods would get requests before they can answer" in text


@pytest.mark.parametrize("name", ["startup", "liveness", "readiness"])
def test_a_worker_is_not_asked_by_http(name: str) -> None:
    ask = {"command": ("true",)}
    probes: dict[str, Any] = {"startup": ask, "liveness": ask, "readiness": ask}
    assert refusal(Service, {**WORKER, "probes": probes}) == ""
    text = refusal(Service, {**WORKER, "probes": {**probes, name: {"path": "/x"}}})
    assert f"the {name} probe asks by HTTP, but the service has no port" in text


def test_a_worker_shows_figures_on_a_port_of_its_own() -> None:
    assert accept(Service, {**WORKER, "metrics": {"port": 9090}}).metrics.port == 9090
    assert refusal(Service, {**API, "metrics": {}}) == ""
    text = refusal(Service, {**WORKER, "metrics": {}})
    assert "figures without a port | Prometheus would have nowhere to read them." in text


@pytest.mark.parametrize("probe", [{}, {"path": "/", "command": ("true",)}])
def test_a_probe_asks_in_exactly_one_way(probe: dict[str, Any]) -> None:
    text = refusal(Probe, probe)
    assert "neither or both of `path` and `command` | The kubelet asks in exactly one way." in text


@pytest.mark.parametrize("path", ["live", "/a b", "/a?b", "/a#b", ""])
def test_the_path_of_a_probe_is_a_path_and_nothing_more(path: str) -> None:
    assert "should match pattern" in refusal(Probe, {"path": path})


def test_without_a_startup_probe_the_liveness_question_is_asked_with_patience() -> None:
    found = accept(Service, API).probes
    startup = found.startup_or_default
    assert (startup.path, startup.failure_threshold, startup.period_seconds) == ("/live", 30, 2)
    own = {**PROBES, "startup": {"path": "/started", "failureThreshold": 7}}
    assert accept(Service, {**API, "probes": own}).probes.startup_or_default.path == "/started"


def test_requests_and_limits_are_required() -> None:
    assert "Field required" in refusal(Service, without(API, "resources"))


@pytest.mark.parametrize(
    ("grace", "pre_stop", "legal"), [(6, 5, True), (5, 5, False), (1, 0, True), (4, 5, False)]
)
def test_grace_is_longer_than_the_wait_before_the_stop(grace: int, pre_stop: int, legal: bool) -> None:
    text = refusal(Service, {**API, "graceSeconds": grace, "preStopSeconds": pre_stop})
    assert (text == "") == legal
    if not legal:
        assert f"graceSeconds {grace} is not above preStopSeconds {pre_stop}" in text
        assert "gunicorn: 30" in text


def test_by_default_a_server_has_its_own_30_seconds_after_the_wait() -> None:
    found = accept(Service, API)
    assert found.grace_seconds - found.pre_stop_seconds > 30


@pytest.mark.parametrize("path", ["/", "tmp", "/app/", "/app/../etc", "", "/.."])
def test_only_named_folders_below_the_root_are_writable(path: str) -> None:
    text = refusal(Service, {**API, "writablePaths": (path,)})
    assert "no absolute path below the root | The root of a container is read-only" in text


def test_a_named_folder_is_writable() -> None:
    assert accept(Service, {**API, "writablePaths": ("/app/..work",)}).writable_paths == ("/app/..work",)


def test_no_process_runs_as_root() -> None:
    assert "greater than or equal to 1" in refusal(Service, {**API, "userId": 0})


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ({"min": 3, "max": 2}, "min 3 is above max 2 | Kubernetes refuses such an autoscaler."),
        (
            {"min": 1, "max": 2, "cpu": None, "memory": None},
            "an autoscaler without a measure | It would never",
        ),
        ({"min": 0, "max": 2}, "greater than or equal to 1"),
    ],
)
def test_an_autoscaler_that_cannot_work_is_refused(scaling: dict[str, Any], message: str) -> None:
    assert message in refusal(Scaling, scaling)


def test_a_fixed_number_needs_no_measure() -> None:
    assert refusal(Scaling, {"min": 2, "max": 2, "cpu": None, "memory": None}) == ""


@pytest.mark.parametrize(("low", "high", "scaled"), [(1, 1, False), (3, 3, False), (1, 2, True)])
def test_a_service_is_autoscaled_exactly_when_its_bounds_differ(low: int, high: int, scaled: bool) -> None:
    assert accept(Service, {**API, "scaling": {"min": low, "max": high}}).autoscaled == scaled


def test_connections_of_a_pod_are_processes_times_the_whole_pool() -> None:
    pooled = accept(Service, {**API, "processes": 4, "pool": {"size": 5, "overflow": 10}})
    assert pooled.connections_per_pod == 60
    assert accept(Service, {**API, "processes": 4}).connections_per_pod == 0


@pytest.mark.parametrize("value", [True, 1.5, None])
def test_a_variable_that_is_no_text_is_refused(value: object) -> None:
    text = refusal(Service, {**API, "env": {"X": value}})
    assert "not text | Environment variables are text" in text


def test_a_whole_number_is_the_text_of_its_digits() -> None:
    assert accept(Service, {**API, "env": {"X": 8000}}).env == {"X": "8000"}


@pytest.mark.parametrize("value", [{}, {"secrets": "x"}, {"value": "x"}])
def test_a_map_that_is_no_reference_is_refused(value: object) -> None:
    text = refusal(Service, {**API, "env": {"X": value}})
    assert "neither text nor a reference | The service would start without this variable." in text


@pytest.mark.parametrize("name", ["", "1X", "A-B", "A B", "A="])
def test_a_variable_has_a_name_that_shells_take(name: str) -> None:
    assert "should match pattern" in refusal(Service, {**API, "env": {name: "x"}})


@pytest.mark.parametrize(
    ("preset", "words"), [("cache", get_args(CachePreset)), ("resilience", get_args(ResiliencePreset))]
)
def test_a_preset_of_the_application_is_a_known_word_and_reaches_it_as_a_variable(
    preset: str, words: tuple[str, ...]
) -> None:
    for word in words:
        found = accept(Service, {**API, "presets": {preset: word}})
        assert found.typed_variables == {f"{preset.upper()}_PRESET": word}
    assert "Input should be" in refusal(Service, {**API, "presets": {preset: "fast"}})


def test_without_presets_and_websockets_the_application_is_told_nothing() -> None:
    assert accept(Service, API).typed_variables == {}


@pytest.mark.parametrize(("seconds", "legal"), [(120, False), (121, True), (3600, True), (3601, False)])
def test_a_quiet_websocket_stays_open_for_more_than_two_minutes(seconds: int, legal: bool) -> None:
    websocket = {**API, "websocket": {"idleSeconds": seconds}}
    assert (refusal(Service, websocket) == "") == legal
    if legal:
        assert accept(Service, websocket).typed_variables == {"WEBSOCKET_IDLE_SECONDS": str(seconds)}


def test_websockets_need_a_port() -> None:
    assert "WebSockets without a port | There is no Service" in refusal(Service, {**WORKER, "websocket": {}})


def test_a_variable_is_told_once_by_a_typed_setting_or_by_env() -> None:
    typed = {**API, "websocket": {"idleSeconds": 300}}
    assert refusal(Service, {**typed, "env": {"WEBSOCKET_IDLE": "1"}}) == ""
    text = refusal(Service, {**typed, "env": {"WEBSOCKET_IDLE_SECONDS": "600"}})
    assert "WEBSOCKET_IDLE_SECONDS stands under `env` and in a typed setting" in text
    assert "Keep the typed one" in text
