#!/usr/bin/env bash
# One run without a scheduler: on one node, or started on each of several with its number. See README.md.
#
#     experiments/cluster/torchrun.sh experiments/crosstask/gad.yaml
#     NODES=2 NODE=0 MASTER=node0:29500 experiments/cluster/torchrun.sh experiments/coin/gad_8b.yaml      # on node0
#     NODES=2 NODE=1 MASTER=node0:29500 experiments/cluster/torchrun.sh experiments/coin/gad_8b.yaml      # on node1
#
# PROCESSES a node: as many as there are GPUs. RUN: name of the run's folder, by default that of the config. What follows
# the config is passed on. A run that was killed, or told to stop by SIGUSR1 or SIGTERM, goes on when the same command is
# given again.
set -euo pipefail

config=${1:?"give a config: torchrun.sh experiments/.../gad.yaml"}
shift
nodes=${NODES:-1} node=${NODE:-0} master=${MASTER:-127.0.0.1:29500}
processes=${PROCESSES:-$(nvidia-smi --list-gpus | wc -l)}
run=${RUN:-$(basename "$(dirname "$config")")-$(basename "$config" .yaml)}
export PYTHONUNBUFFERED=1

# no restarts by torchrun: the same command goes on from the newest checkpoint, and a mistake is told once
exec torchrun --nnodes="$nodes" --node-rank="$node" --nproc-per-node="$processes" \
    --master-addr="${master%:*}" --master-port="${master##*:}" --max-restarts=0 \
    --signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 \
    --module gad_lightning fit --config "$config" \
    --trainer.num_nodes="$nodes" --trainer.devices="$processes" \
    --trainer.default_root_dir="${GAD_RUNS:-runs}/$run" --ckpt_path=last "$@"
