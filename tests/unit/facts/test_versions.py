"""The pinned versions: what the project promises, in images that say so."""

import re

from facts import versions


def test_postgres_is_16_in_every_image() -> None:
    assert versions.POSTGRES_MAJOR == "16"
    assert versions.POSTGRES_IMAGE.endswith(":16")
    assert versions.PGVECTOR_IMAGE.endswith(":pg16")


def test_redis_is_7() -> None:
    assert versions.REDIS_MAJOR == "7"
    assert versions.REDIS_IMAGE.endswith(":7")


def test_images_name_their_registry_and_no_image_floats() -> None:
    for image in (versions.POSTGRES_IMAGE, versions.PGVECTOR_IMAGE, versions.REDIS_IMAGE):
        assert re.fullmatch(r"docker\.io/[a-z]+/[a-z]+:[a-z]*[0-9]+", image)


def test_the_servers_run_as_users_without_privileges() -> None:
    assert versions.POSTGRES_USER_ID == versions.REDIS_USER_ID == 999
