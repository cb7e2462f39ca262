#!/usr/bin/env bash
# Fills the cache of weights on a node with a network; jobs then need none. Use the jobs' HF_HOME.
#
#     hf auth login                                   # once, for models under a license
#     experiments/cluster/fetch.sh experiments/*/gad.yaml
set -euo pipefail

[ $# -gt 0 ] || { echo "give the configs of the runs" >&2; exit 2; }
for config in "$@"; do
    echo "$config"
    gad-lightning fetch --config "$config"
done
