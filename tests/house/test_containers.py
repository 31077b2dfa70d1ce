"""What `compose.yaml`, `Dockerfile` and `.env.example` say, read: rights, secrets, limits, order, and that every setting arrives."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.compose import read
from tests.support.servers import ROOT

OURS = ("migrate", "web", "worker", "beat")


def test_compose_refuses_to_start_without_its_secrets():
    with pytest.raises(KeyError, match="set SECRET_KEY in"):
        read((ROOT / "compose.yaml").read_text(), {"POSTGRES_PASSWORD": "p"})


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(read((ROOT / "compose.yaml").read_text(), {"SECRET_KEY": "s", "POSTGRES_PASSWORD": "p"})["services"])


def test_no_container_runs_as_root_or_with_more_rights_than_it_needs(services: dict[str, Any]):
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert (services["postgres"]["user"], services["valkey"]["user"]) == ("postgres", "valkey")
    assert "nginx-unprivileged" in services["nginx"]["image"]
    assert {services[name]["image"] for name in ("migrate", "web", "worker", "beat")} == {"signalbox"}
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nUSER signalbox\n" in dockerfile


@pytest.mark.parametrize("ignored", [".gitignore", ".dockerignore"])
def test_the_file_of_secrets_gets_into_no_image_and_no_commit(ignored: str):
    lines = (ROOT / ignored).read_text().splitlines()
    assert ".env" in lines
    assert "!.env" not in lines


def test_whatever_our_own_containers_mount_is_a_folder_of_the_image_that_belongs_to_their_user(services: dict[str, Any]):
    """Else Docker makes the volume's folder, as root, and the user of the containers cannot write into it."""
    mounted = {volume.split(":")[1] for one in services.values() if one["image"] == "signalbox" for volume in one["volumes"]}
    assert mounted == {"/data", "/data/static"}
    before, _, after = (ROOT / "Dockerfile").read_text().partition("\nUSER signalbox\n")
    made = set(re.findall(r"install -d -o signalbox -m \d+ (\S+)", before))
    assert after and mounted <= made


def test_every_service_has_a_limit_and_those_that_stay_are_asked_how_they_are(services: dict[str, Any]):
    for name, service in services.items():
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert ("healthcheck" in service) is (name != "migrate"), name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name


def test_each_service_starts_when_what_it_needs_is_there(services: dict[str, Any]):
    waits = {name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()} for name, service in services.items()}
    ready = {"migrate": "service_completed_successfully", "valkey": "service_healthy"}
    assert waits == {
        "postgres": {},
        "valkey": {},
        "migrate": {"postgres": "service_healthy"},
        **dict.fromkeys(("web", "worker", "beat"), ready),
        "nginx": {"web": "service_healthy"},
    }


def test_postgres_takes_the_connections_of_all_processes(services: dict[str, Any], settings: Any):
    options = dict(option.split("=") for option in services["postgres"]["command"] if "=" in option)
    most = int(options["max_connections"])
    worker = services["worker"]["command"]
    in_a_worker = int(worker[worker.index("--concurrency") + 1]) + 1
    processes = services["web"]["deploy"]["replicas"] + in_a_worker + 1  # beat
    twice = 2 * services["web"]["deploy"]["replicas"]  # while an update replaces them
    assert settings.DATABASE_POOL * (processes + twice) <= most - 3  # Postgres keeps three for whoever looks after it


# Settings

DOCUMENTED = {
    name
    for line in (ROOT / "docs/settings.md").read_text().splitlines()
    if line.startswith("| `")
    for name in re.findall(r"[A-Z_]{4,}", line.split("|")[1])
}
THE_CONTAINERS_OWN = {"HOST": "0.0.0.0", "PORT": "8000", "DATA_DIR": "/data"}


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_every_documented_setting_in_env_arrives_in_each_of_our_containers(name: str):
    given = {"SECRET_KEY": "s", "POSTGRES_PASSWORD": "p", name: "as given"}
    services = read((ROOT / "compose.yaml").read_text(), given)["services"]
    assert {services[service]["environment"][name] for service in OURS} == {THE_CONTAINERS_OWN.get(name, "as given")}


def test_nothing_but_our_own_containers_is_handed_all_of_env(services: dict[str, Any]):
    assert {name for name, service in services.items() if "env_file" in service} == set(OURS)


def test_without_any_setting_it_is_postgres_valkey_and_nginx_in_front():
    given = {"SECRET_KEY": "s", "POSTGRES_PASSWORD": "hunter2", "PORT": "8080"}
    web = read((ROOT / "compose.yaml").read_text(), given)["services"]["web"]["environment"]
    assert web["DATABASE_URL"] == "postgres://signalbox:hunter2@postgres:5432/signalbox"
    assert (web["REDIS_URL"], web["TRUSTED_PROXY_HOPS"], web["SERVER"]) == ("redis://valkey:6379/0", "1", "uvicorn")
    assert web["BASE_URL"] == "http://localhost:8080"


def test_the_example_of_env_names_all_that_compose_reads_and_nothing_that_does_not_exist():
    compose = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    example = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert compose <= example <= compose | DOCUMENTED


# The image, which cannot be built here

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_is_built_on_named_versions():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert bases
    for base in bases:
        assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base), base
    for image in re.findall(r"image: (\S+)", (ROOT / "compose.yaml").read_text()):
        assert image == "signalbox" or re.search(r":\d", image), image


def test_the_image_ends_as_a_user_who_is_not_root_and_holds_no_secret():
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.M)
    assert users == ["signalbox"]
    after = DOCKERFILE.rpartition("\nUSER signalbox\n")[2]
    assert "RUN" not in after and "COPY" not in after
    assert not re.search(r"^(ARG|ENV) .*(SECRET|PASSWORD|TOKEN|KEY)", DOCKERFILE, re.M)


@pytest.mark.parametrize("kept_out", [".git", "data", "node_modules", ".env", ".env.*", "*.pem", "*.dump", "tests"])
def test_what_has_no_business_in_the_image_is_not_copied(kept_out: str):
    assert kept_out in (ROOT / ".dockerignore").read_text().splitlines()


def test_whatever_the_image_copies_is_there():
    for line in re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.M):
        for path in line.split()[:-1]:
            assert (ROOT / path).exists(), path


def test_the_stage_of_front_end_packages_has_all_that_their_installer_imports(tmp_path: Path):
    copied = next(line.split() for line in re.findall(r"^COPY (.+)", DOCKERFILE, re.M) if "core/frontend.py" in line)
    (tmp_path / "core").mkdir()
    for path in copied[:-1]:
        shutil.copy(ROOT / path, tmp_path / path)
    subprocess.run([sys.executable, "-c", "from core import frontend; frontend.install"], cwd=tmp_path, check=True)


def test_the_command_of_the_image_is_that_of_the_web_service(services: dict[str, Any]):
    assert json.loads(DOCKERFILE.rpartition("CMD ")[2]) == services["web"]["command"]
