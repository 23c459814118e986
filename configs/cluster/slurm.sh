#!/usr/bin/env bash
# Training on the nodes of one Slurm job; arguments of the script go to `ludens train`:
#
#   sbatch configs/cluster/slurm.sh othello --run big --store /shared/ludens --workers 120
#
# From a checkout with a .venv (make setup), both on a file system that all nodes see. Before its
# time is over the training saves, and the job queues again with the same command, which goes on.
#   scancel --batch --signal=USR1 JOB   saves and queues again
#   scancel --batch --signal=USR2 JOB   saves and ends
#
#SBATCH --job-name=ludens
#SBATCH --nodes=4
#SBATCH --exclusive
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@240
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=ludens-%j.log
# --exclusive: Ray's ports belong to a host, and ray symmetric-run refuses where a Ray runs already.
# B:USR1@240: to this script alone, so that Ray still runs while the training saves.
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit this script with sbatch, from the checkout}"
source .venv/bin/activate

# The token, in the home folder that the nodes share. Ray would write it readable for everybody.
unset RAY_AUTH_TOKEN
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$HOME/.ray/auth_token"
if [[ ! -s $RAY_AUTH_TOKEN_PATH ]]; then
  (umask 077 && env -u RAY_AUTH_TOKEN_PATH ray get-auth-token --generate >/dev/null)
fi
chmod 600 "$RAY_AUTH_TOKEN_PATH"

export LUDENS_CACHE_DIR="/tmp/ludens-kernels-$(id -u)" # of each node: kernels are never shared
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300      # seconds for all nodes to come
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1            # who asked for no graphics card sees none

# This script runs on the first node, which becomes the head. An address, not its name, which may
# mean the loopback there; change it where the nodes speak over another interface.
read -r ip _ < <(hostname -I)
address="$ip:6379"

started=$(mktemp) # gets the driver's process id; it runs on this node
trap 'rm -f "$started"' EXIT
again=
stop() {
  again=$1
  if [[ -s $started ]]; then
    kill -TERM "$(<"$started")" || true # it may have ended
  else
    kill -TERM "$step" || true
  fi
}
# RAY_ADDRESS makes ludens join this Ray; without it, it would start one of its own on the head.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  ray symmetric-run --address="$address" --min-nodes="$SLURM_JOB_NUM_NODES" \
  --num-cpus="$SLURM_CPUS_PER_TASK" --dashboard-host=127.0.0.1 --metrics-export-port=8080 \
  --disable-usage-stats -- \
  bash -c 'echo $$ >"$0" && exec "$@"' "$started" \
  env RAY_ADDRESS="$address" ludens train "$@" &
step=$!
trap 'stop yes' USR1
trap 'stop no' USR2

status=0
while kill -0 "$step" 2>/dev/null; do # a signal ends `wait` early
  wait "$step" && status=0 || status=$?
done

# Where Ray does not start, ray symmetric-run says so and exits with 0.
if [[ ! -s $started && $status -eq 0 && -z $again ]]; then
  echo "slurm.sh: training was never started; see the reason above" >&2
  exit 1
fi
if [[ $again == yes ]]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$status"
