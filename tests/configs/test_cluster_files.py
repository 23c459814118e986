"""What can be known of configs/cluster and docs/cluster.md without a cloud.

That Ray accepts the files, that they shut the doors they speak of, and that every name exists.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import cli as ray_cli
from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

import ludens
from agents.alphazero.config import AlphaZeroConfig
from agents.dqn.config import DQNConfig
from agents.ppo.config import PPOConfig
from agents.registry import BUILT_IN, find_metrics
from configs import grafana
from configs.command_line import UsageError, read_words
from configs.fields import ConfigError, train_fields
from configs.loader import load_config
from configs.options import given_options
from selfplay.cluster.ray_metrics import FAILURES, gauges

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "configs" / "cluster"
GUIDE = (ROOT / "docs" / "cluster.md").read_text()
SLURM = FOLDER / "slurm.sh"
CLUSTER: dict[str, Any] = yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text())
ACCOUNT, POLICY, JOB = yaml.safe_load_all((FOLDER / "kubernetes-rayjob.yaml").read_text())
IMAGE = CLUSTER["docker"]["image"]
PINNED_RAY = next(
    line.partition("==")[2]
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line.startswith("ray==")
)


# --- commands -----------------------------------------------------------------------------------


def check_ludens(words: list[str]) -> None:
    """Read a command of ludens as the front door does; settings and presets included."""
    name, *rest = words
    args = read_words(name, ludens.COMMANDS[name], rest)
    if name == "train":
        load_config(args.preset, given_options(args))


def check_ray(words: list[str]) -> None:
    """Find a command of ray and each of its options, without running it; then what it starts."""
    before, after = split_at_dashes(words)
    command: click.Command = ray_cli
    while isinstance(command, click.Group):
        name, *before = before
        assert name in command.commands, f"there is no `ray {name}`"
        command = command.commands[name]
    known = options_of(command)
    if command.name == "symmetric_run":
        curate_and_validate_ray_start_args([*before])
        known |= options_of(ray_cli.commands["start"])
    for word in before:
        if word.startswith("--"):
            option = word.partition("=")[0]
            assert option in known, f"`ray {command.name}` has no {option}"
    if after[:2] == ["python", "ludens.py"]:
        check_ludens(after[2:])


def options_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def split_at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def quoted_commands() -> list[str]:
    """The commands of the guide's and the README's consoles, without their prompts."""
    readme = (ROOT / "README.md").read_text().partition("**On a cluster.**")[2]
    texts = [GUIDE, readme.partition("**Play**")[0]]
    return [line for text in texts for line in re.findall(r"^ *\$ (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("line", quoted_commands())
def test_every_command_of_the_guide_exists(line: str) -> None:
    first, *words = shlex.split(line)
    if first == "ludens":
        check_ludens(words)
    elif first == "ray":
        check_ray(words)
    elif first == "sbatch":
        assert (ROOT / words[0]) == SLURM
        check_ludens(["train", *words[1:]])
    elif first == "export":
        assert "=" in words[0]
    else:
        assert first.partition("=")[0] in (
            "docker", "kubectl", "pip", "scancel", "tail", "prometheus", "umask", "cluster",
        )  # fmt: skip
    for word in words:
        if word.startswith("configs/"):
            assert (ROOT / word).is_file()


def test_a_command_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no `ray jump`"):
        check_ray(["jump"])
    with pytest.raises(AssertionError, match="has no --workin-dir"):
        check_ray(shlex.split("job submit --workin-dir . -- python x.py"))
    with pytest.raises(click.ClickException, match="--head"):
        check_ray(["symmetric-run", "--address=a:1", "--head", "--", "true"])
    with pytest.raises(UsageError, match="learner-cpu"):
        check_ludens(["train", "othello", "--cluster.learner-cpu", "8"])
    with pytest.raises(ConfigError, match="othelo"):
        check_ray(shlex.split("job submit -- python ludens.py train othelo"))


def test_settings_and_options_named_in_the_prose_exist() -> None:
    prose = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)
    fields = {
        name: field
        for config in (AlphaZeroConfig, DQNConfig, PPOConfig)
        for name, field in train_fields(config).items()
    }
    tables = {name.partition(".")[0] for name in fields if "." in name}
    settings = re.findall(r"`(?:--)?((?:\w+)\.[\w-]+)`", prose)
    named = [n.replace("-", "_") for n in settings if n.partition(".")[0] in tables]
    assert set(named) <= set(fields)
    assert len(named) > 8
    for option in re.findall(r"`--([\w-]+)`", prose):
        others = {"run", "store", "sprt", "exclusive", "gpus-per-node", "requeue"}  # ludens, sbatch
        assert option in others or option.replace("-", "_") in fields, option


def test_links_and_files_named_in_the_guide_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
    for name in (path.name for path in FOLDER.iterdir() if path.suffix != ".dockerignore"):
        assert name in GUIDE, f"docs/cluster.md does not explain {name}"


# --- security -----------------------------------------------------------------------------------

TEXTS = {path.name: path.read_text() for path in sorted(FOLDER.iterdir())}


@pytest.mark.parametrize("name", [n for n in TEXTS if n.startswith(("ray", "kube", "slurm"))])
def test_token_authentication_is_set_explicitly(name: str) -> None:
    modes = re.findall(r"RAY_AUTH_MODE(?:=|, value: )(\w+)", TEXTS[name])
    assert set(modes) == {"token"}


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_bound_to_every_interface(name: str) -> None:
    assert "0.0.0.0" not in TEXTS[name]
    for value in re.findall(r"(?:dashboard-host|listen-address)[\s=:\"']+([\w.]+)", TEXTS[name]):
        assert value == "127.0.0.1"


@pytest.mark.parametrize("name", TEXTS)
def test_no_secret_is_written_down(name: str) -> None:
    secret = r"AKIA[0-9A-Z]{16}|PRIVATE KEY|(?i:secret_?(?:access_)?key|password)\s*[:=]"
    assert not re.search(secret, TEXTS[name])
    assert not re.search(r"RAY_AUTH_TOKEN\s*[:=,]\s*\S", TEXTS[name])
    assert not re.search(r"\b[0-9a-f]{64}\b", TEXTS[name])


def test_the_names_of_rays_variables_are_its_own() -> None:
    import ray

    package = Path(ray.__file__).parent
    homes = {
        "RAY_AUTH_MODE": "_private/authentication/authentication_token_setup.py",
        "RAY_JOB_STOP_WAIT_TIME_S": "dashboard/modules/job/job_supervisor.py",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "_private/accelerators/accelerator.py",
        "RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT": "scripts/symmetric_run.py",
        "RAY_ADDRESS": "_private/ray_constants.py",
        "RAY_API_SERVER_ADDRESS": "dashboard/modules/job/cli.py",
        "RAY_AUTH_TOKEN": "_raylet.so",
        "RAY_AUTH_TOKEN_PATH": "_raylet.so",
        "RAY_HEAD_IP": "autoscaler/_private/util.py",
    }
    used = set(re.findall(r"\bRAY_[A-Z_]+\b", "\n".join([GUIDE, *TEXTS.values()])))
    assert used == set(homes)
    for name, home in homes.items():
        assert name.encode() in (package / home).read_bytes(), f"{home} knows no {name}"


# --- ray up -------------------------------------------------------------------------------------


def test_ray_accepts_the_cluster_with_its_defaults_merged_in() -> None:
    prepared = prepare_config(json.loads(json.dumps(CLUSTER)))
    validate_config(prepared)
    for which in ("head", "worker"):  # the defaults would open the dashboard
        assert prepared[f"{which}_start_ray_commands"] == CLUSTER[f"{which}_start_ray_commands"]
    assert "0.0.0.0" not in json.dumps(prepared["head_start_ray_commands"])
    assert prepared["setup_commands"] == []


@pytest.mark.parametrize("which", ["head", "worker"])
def test_nodes_start_ray_with_options_that_exist_and_with_the_token(which: str) -> None:
    start = CLUSTER[f"{which}_start_ray_commands"][-1]
    mode, ray, *words = shlex.split(start)
    assert (mode, ray) == ("RAY_AUTH_MODE=token", "ray")
    check_ray(words)
    assert ("--head" in words) == (which == "head")
    assert "--env RAY_AUTH_MODE=token" in CLUSTER["docker"]["run_options"]
    assert CLUSTER["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"
    assert "chmod 600 ~/.ray/auth_token" in CLUSTER[f"{which}_setup_commands"]


def test_no_port_of_a_machine_is_opened() -> None:
    options = " ".join(CLUSTER["docker"]["run_options"])
    assert not re.search(r"(?:^|\s)(?:-p|-P|--publish|--privileged)", options)
    assert "IpPermissions" not in CLUSTER["provider"]["security_group"]


def test_workers_are_spot_and_the_head_and_the_card_are_not() -> None:
    types = CLUSTER["available_node_types"]
    spot = {
        name
        for name, kind in types.items()
        if kind["node_config"].get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    }
    assert spot == {"play"}
    assert types[CLUSTER["head_node_type"]]["resources"]["CPU"] == 0
    assert all("IamInstanceProfile" in kind["node_config"] for kind in types.values())
    beside_the_head = sum(kind.get("max_workers", 0) for kind in types.values())
    assert beside_the_head == CLUSTER["max_workers"]


def test_the_arithmetic_of_the_guide_is_that_of_the_files() -> None:
    said = re.search(r"(\d+) \+ (\d+) = (\d+) cores = (\d+) nodes of (\d+), and one spare", GUIDE)
    assert said
    workers, learner, cores, nodes, size = map(int, said.groups())
    entrypoint = shlex.split(JOB["spec"]["entrypoint"])
    args = read_words("train", ludens.COMMANDS["train"], entrypoint[3:])
    config = load_config(args.preset, given_options(args))
    assert (config.workers, config.cluster.learner_cpus) == (workers, learner)
    assert workers * config.cluster.worker_cpus + learner == cores == nodes * size
    play = CLUSTER["available_node_types"]["play"]
    assert (play["max_workers"], play["resources"]["CPU"]) == (nodes + 1, size)
    group = next(g for g in worker_groups() if g["groupName"] == "play")
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert (group["maxReplicas"], int(limits["cpu"])) == (nodes + 1, size)


# --- Kubernetes ---------------------------------------------------------------------------------

# The fields of ray.io/v1 that KubeRay 1.5.1 knows; an unknown one would be refused or dropped.
FIELDS = {
    name: set(text.split())
    for name, text in {
        "job": """
            activeDeadlineSeconds backoffLimit rayClusterSpec submitterPodTemplate metadata
            clusterSelector submitterConfig managedBy deletionStrategy entrypoint runtimeEnvYAML
            jobId submissionMode entrypointResources entrypointNumCpus entrypointNumGpus
            ttlSecondsAfterFinished shutdownAfterJobFinishes suspend
        """,
        "cluster": """
            authOptions suspend managedBy autoscalerOptions headServiceAnnotations
            enableInTreeAutoscaling gcsFaultToleranceOptions headGroupSpec rayVersion
            workerGroupSpecs
        """,
        "head": """
            template headService enableIngress resources labels rayStartParams serviceType
        """,
        "group": """
            suspend groupName replicas minReplicas maxReplicas idleTimeoutSeconds resources labels
            rayStartParams template scaleStrategy numOfHosts
        """,
        "autoscaler": """
            resources image imagePullPolicy securityContext idleTimeoutSeconds upscalingMode
            version env envFrom volumeMounts
        """,
    }.items()
}


def worker_groups() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    return groups


def pod_templates() -> Iterator[dict[str, Any]]:
    yield JOB["spec"]["submitterPodTemplate"]
    yield JOB["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]
    for group in worker_groups():
        yield group["template"]


def test_the_manifest_has_the_kinds_and_fields_of_their_definitions() -> None:
    kinds = [(d["apiVersion"], d["kind"]) for d in (ACCOUNT, POLICY, JOB)]
    assert kinds == [
        ("v1", "ServiceAccount"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("ray.io/v1", "RayJob"),
    ]
    spec, cluster = JOB["spec"], JOB["spec"]["rayClusterSpec"]
    assert spec.keys() <= FIELDS["job"]
    assert cluster.keys() <= FIELDS["cluster"]
    assert cluster["headGroupSpec"].keys() <= FIELDS["head"]
    assert cluster["autoscalerOptions"].keys() <= FIELDS["autoscaler"]
    for group in worker_groups():
        assert group.keys() <= FIELDS["group"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    params = [cluster["headGroupSpec"]["rayStartParams"]]
    params += [group["rayStartParams"] for group in worker_groups()]
    start = options_of(ray_cli.commands["start"])
    for name, value in (pair for found in params for pair in found.items()):
        assert f"--{name}" in start
        assert isinstance(value, str), "KubeRay takes texts alone"


def test_the_job_is_tried_again_with_a_command_that_resumes() -> None:
    words = shlex.split(JOB["spec"]["entrypoint"])
    assert words[:2] == ["python", "/home/ray/ludens/ludens.py"]  # where the Dockerfile puts it
    assert f"WORKDIR {Path(words[1]).parent}" in TEXTS["Dockerfile"]
    check_ludens(words[2:])
    assert "--run" in words
    assert words[words.index("--store") + 1].startswith("s3://")
    assert JOB["spec"]["backoffLimit"] > 0
    assert JOB["spec"]["shutdownAfterJobFinishes"] is True


def test_all_nodes_have_one_image_of_the_pinned_versions() -> None:
    assert JOB["spec"]["rayClusterSpec"]["rayVersion"] == PINNED_RAY
    assert f"FROM rayproject/ray:{PINNED_RAY}-py311\n" in TEXTS["Dockerfile"]
    images = [c["image"] for template in pod_templates() for c in template["spec"]["containers"]]
    assert set(images) == {IMAGE}
    assert IMAGE in TEXTS["Dockerfile"]
    assert IMAGE.endswith(f":{ludens.VERSION}")


def test_every_container_is_limited_confined_and_asks_for_the_token() -> None:
    for template in pod_templates():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert not spec.get("hostNetwork")
        for container in spec["containers"]:
            resources = container["resources"]
            for amount in ("cpu", "memory"):
                assert resources["requests"][amount]
                assert resources["limits"][amount]
            assert {"name": "RAY_AUTH_MODE", "value": "token"} in container["env"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert not any("hostPort" in port for port in container.get("ports", []))
    assert JOB["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_the_head_is_inside_the_cluster_and_few_may_speak_to_it() -> None:
    head = JOB["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["serviceType"] == "ClusterIP"
    assert head["enableIngress"] is False
    ports = {p["containerPort"] for c in head["template"]["spec"]["containers"] for p in c["ports"]}
    assert ports == {6379, 8265, 8080}

    selected = POLICY["spec"]["podSelector"]["matchLabels"]
    for template in pod_templates():
        assert selected.items() <= template["metadata"]["labels"].items()
    among, operator, metrics = POLICY["spec"]["ingress"]
    assert among == {"from": [{"podSelector": {"matchLabels": selected}}]}
    assert [p["port"] for p in operator["ports"]] == [8265]
    assert {"namespaceSelector", "podSelector"} == operator["from"][0].keys()
    assert [p["port"] for p in metrics["ports"]] == [8080]
    assert POLICY["spec"]["policyTypes"] == ["Ingress"]


# --- Slurm --------------------------------------------------------------------------------------

STUBS = {
    "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "scontrol": 'echo "$@" >"$HOME/requeued"',
    "ray": """
echo "$@" >>"$HOME/ray"
if [[ $1 == get-auth-token ]]; then
  mkdir -p ~/.ray; echo token >~/.ray/auth_token
elif [[ -z ${RAY_FAILS:-} ]]; then
  while [[ $1 != -- ]]; do shift; done; shift; "$@"
fi""",
    "ludens": """
env >"$HOME/environment"; printf '%s\\n' "$@" >"$HOME/words"; status=${LUDENS_STATUS:-0}
trap 'echo saved >"$HOME/saved"; exit 0' TERM
if [[ -n ${LUDENS_WAITS:-} ]]; then touch "$HOME/waits"; while :; do sleep 0.05; done; fi
exit "$status\"""",
}


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """The environment of a batch script on a Slurm of stubs; its home is the checkout too."""
    activate = tmp_path / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f'export PATH="{activate.parent}:$PATH"\n')
    for name, text in STUBS.items():
        program = activate.parent / name
        program.write_text(f"#!/usr/bin/env bash\n{text}\n")
        program.chmod(0o755)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": "77",
        "SLURM_JOB_NUM_NODES": "4",
        "SLURM_CPUS_PER_TASK": "32",
        "RAY_AUTH_TOKEN": "of some other cluster",
    }


def submit(site: dict[str, str], *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SLURM), *words], env=site | more, capture_output=True, text=True
    )


def test_the_script_is_bash() -> None:
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run([bash, "-n", SLURM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_starts_one_ray_and_trains_on_it(site: dict[str, str]) -> None:
    home = Path(site["HOME"])
    done = submit(site, "othello", "--store", "/shared/a b", "--workers", "120")
    assert done.returncode == 0, done.stderr
    made, started = (home / "ray").read_text().splitlines()
    assert made == "get-auth-token --generate"
    words = shlex.split(started.partition(" -- ")[0])
    check_ray([*words, "--", "true"])
    assert "--min-nodes=4" in words
    assert "--num-cpus=32" in words
    assert (home / "words").read_text().split("\n")[:-1] == [
        "train", "othello", "--store", "/shared/a b", "--workers", "120",
    ]  # fmt: skip
    environment = (home / "environment").read_text()
    (address,) = [word.partition("=")[2] for word in words if word.startswith("--address=")]
    assert f"\nRAY_ADDRESS={address}\n" in environment
    assert not address.startswith("127.")
    assert "\nRAY_AUTH_MODE=token\n" in environment
    assert "RAY_AUTH_TOKEN=" not in environment
    assert not (home / "requeued").exists()


def test_the_token_is_for_its_owner_alone_and_made_once(site: dict[str, str]) -> None:
    token = Path(site["HOME"], ".ray", "auth_token")
    submit(site, "othello")
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o077 == 0
    token.write_text("mine")
    token.chmod(0o644)
    submit(site, "othello")
    assert token.read_text() == "mine"
    assert token.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("name", "again"), [("SIGUSR1", True), ("SIGUSR2", False)])
def test_a_signal_lets_the_training_save_first(
    site: dict[str, str], name: str, *, again: bool
) -> None:
    home = Path(site["HOME"])
    script = subprocess.Popen(["bash", str(SLURM), "othello"], env=site | {"LUDENS_WAITS": "1"})
    try:
        while not (home / "waits").exists():
            assert script.poll() is None, "the script ended before its training began"
            time.sleep(0.02)
        script.send_signal(signal.Signals[name])
        assert script.wait() == 0
    finally:
        script.kill()
    assert (home / "saved").exists()
    assert (home / "requeued").exists() == again
    if again:
        assert (home / "requeued").read_text() == "requeue 77\n"


def test_a_failure_is_not_hidden(site: dict[str, str]) -> None:
    assert submit(site, "othello", LUDENS_STATUS="3").returncode == 3
    done = submit(site, "othello", RAY_FAILS="1")  # ray symmetric-run exits with 0 then
    assert done.returncode == 1
    assert "was never started" in done.stderr


# --- watching -----------------------------------------------------------------------------------


def test_grafana_shows_every_metric_under_the_name_that_ray_gives_it() -> None:
    board = json.loads(TEXTS["grafana.json"])
    expressions = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    shown = {name for text in expressions for name in re.findall(r"\bray_\w+", text)}
    # Ray puts ray_ before each, and _total behind a counter.
    names = [name for algorithm in BUILT_IN for name in gauges(find_metrics(algorithm))]
    assert shown == {f"ray_{name}" for name in names} | {f"ray_{FAILURES}_total"}
    assert all('{run=~"$run"}' in text for text in expressions)
    assert all(text.count("(") == text.count(")") for text in expressions)
    places = [tuple(panel["gridPos"][k] for k in "xy") for panel in board["panels"]]
    assert len(set(places)) == len({panel["id"] for panel in board["panels"]}) == len(places)


def test_the_dashboard_is_the_one_that_the_specs_make() -> None:
    assert TEXTS["grafana.json"] == grafana.written(), "write it: python -m configs.grafana"


def test_ray_still_names_metrics_so() -> None:
    """The prefix, and the file in which the head lists the nodes, from Ray's own sources."""
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE
    from ray._private.telemetry import open_telemetry_metric_recorder as recorder

    assert recorder.NAMESPACE == "ray"
    scrapes = yaml.safe_load(TEXTS["prometheus.yaml"])["scrape_configs"]
    files = scrapes[0]["file_sd_configs"][0]["files"]
    assert files == [f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"]
