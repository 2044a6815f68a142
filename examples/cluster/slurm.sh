#!/bin/bash
# A Ray cluster for one job of bonito-local on nodes that Slurm gives.
# Usage: sbatch slurm.sh job.toml
#
# The job file, the documents, the model and the output lie on a file system that all nodes share;
# bonito-local[ray,vllm] is installed in the same virtual environment on all of them.
#SBATCH --job-name=bonito-local
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --exclusive
#SBATCH --time=12:00:00
# The job is told half a minute before it has to end: the same command goes on from there.
#SBATCH --signal=B:TERM@30

set -euo pipefail

job=${1:?usage: sbatch slurm.sh job.toml}
port=${RAY_PORT:-6379}
# Ray's ports are open to whoever reaches the nodes: with a token nobody else can use them.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | base64 | tr -d '/+=\n')
export RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --node-ip-address="$address" --port="$port" \
    --include-dashboard=false --disable-usage-stats --block &
for _ in {1..60}; do
    if timeout 1 bash -c ": </dev/tcp/$address/$port" 2>/dev/null; then break; fi
    sleep 2
done
if ((${#nodes[@]} > 1)); then
    others=$(IFS=,; echo "${nodes[*]:1}")
    srun --nodes=$((${#nodes[@]} - 1)) --ntasks=$((${#nodes[@]} - 1)) --nodelist="$others" --overlap \
        ray start --address="$address:$port" --disable-usage-stats --block &
    sleep 20
fi

# On the head node, in this script's own shell; Slurm's TERM is passed on.
bonito-local run "$job" --cluster ray --cluster-address "$address:$port" &
running=$!
trap 'kill -TERM "$running"' TERM
wait "$running" || wait "$running"
