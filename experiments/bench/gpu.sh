#!/usr/bin/env bash
# Everything that wants a GPU, in at most eight minutes: tests, agreement with the CPU, FlexAttention against sdpa, CUDA
# graphs against plain streams, speed, memory and profile at the tiny, small and Llama-3.2-1B shapes, random weights.
#
#     experiments/bench/gpu.sh                                             # on a GPU
#     experiments/bench/gpu.sh --device cpu --shape tiny --minutes 20      # on a CPU, to see whether it runs
#
# Prints every row as it comes and stores it in <output>/gpu.json: called again, it goes on where it stopped. Needs torch,
# transformers, lightning, peft, torchmetrics and scipy; pytest, pytest-xdist, hypothesis and pillow for the tests. PYTHON names
# the interpreter; SECTIONS what is run. A row that failed is tried again by --again, once; other options are those of gpu.py.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
minutes=8 output=$here/results again='' more=()
while [ $# -gt 0 ]; do
    case $1 in
        --minutes) minutes=$2; shift 2 ;;
        --output) output=$2; shift 2 ;;
        --again) again=$1; shift ;;
        --device) export GPU_TESTS_ON=$2; more+=("$1" "$2"); shift 2 ;;
        *) more+=("$1"); shift ;;
    esac
done
mkdir -p "$output"
export PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
end=$(($(date +%s) + minutes * 60)) status=0
for section in ${SECTIONS:-tests agreement+flex+streams speed training profile}; do
    for try in 1 2 3; do
        left=$((end - $(date +%s)))
        if [ $left -lt 15 ]; then
            echo "== ${section//+/ }: time is up"
            break
        fi
        echo "== ${section//+/ }, $left s left"
        # shellcheck disable=SC2086
        timeout -k 5 $left "${PYTHON:-python3}" "$here/gpu.py" ${section//+/ } --output "$output" \
            --deadline $((left - 10)) $again "${more[@]}"
        found=$?
        [ $found -gt $status ] && status=$found
        again='' # once: a row that kills the process would do so again
        [ $found -eq 4 ] && exit 4
        [ $found -le 1 ] && break
    done
done
exit $status
