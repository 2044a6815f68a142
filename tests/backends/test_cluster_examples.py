"""The examples for clusters say what can be said of them without one."""

import re
import subprocess
from pathlib import Path

import yaml

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"


def test_the_slurm_script_is_bash_and_gives_the_address_that_it_starts() -> None:
    script = EXAMPLES / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "--disable-usage-stats" in text
    assert "RAY_AUTH_MODE=token" in text
    assert '--cluster ray --cluster-address "$address:$port"' in text
    asked = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert asked.returncode != 0
    assert "usage: sbatch slurm.sh job.toml" in asked.stderr


def test_the_kubernetes_job_has_what_the_driver_and_engines_need() -> None:
    job, policy = yaml.safe_load_all((EXAMPLES / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.search(
        r"run /job/\S+ --cluster ray --cluster-address \S+:6379", job["spec"]["entrypoint"]
    )
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-gpus"] == "0"
    for group in groups:
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        assert container["image"].endswith(f":{cluster['rayVersion']}")
        # Model and documents lie at one path everywhere.
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted == {"data": "/data", "job": "/job"}
        assert {volume["name"] for volume in spec["volumes"]} == set(mounted)
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
    (workers,) = cluster["workerGroupSpecs"]
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "8"
    assert policy["kind"] == "NetworkPolicy"
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
