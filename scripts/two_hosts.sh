#!/usr/bin/env bash
# Two hosts for MPI on one machine: network namespaces with host names of their own, joined by a veth pair, ranks
# started over an agent in the place of ssh. Runs a command with STPN_MPIRUN set to the mpirun that spreads two ranks
# over them; by default the tests of training on ranks. Needs root on Linux, iproute2 and Open MPI 4.
#
#     sudo -E scripts/two_hosts.sh [COMMAND …]
set -euo pipefail
cd "$(dirname "$0")/.."

hosts=(stpn-host-a stpn-host-b)
links=(stpn-a stpn-b)
addresses=(10.213.7.1 10.213.7.2)
[ "$(id -u)" = 0 ] || { echo "two_hosts.sh: needs root, to make network namespaces" >&2; exit 1; }
for tool in ip unshare mpirun; do
    command -v "$tool" >/dev/null || { echo "two_hosts.sh: $tool is missing" >&2; exit 1; }
done

folder=$(mktemp -d)
clean_up() {
    for host in "${hosts[@]}"; do
        ip netns pids "$host" 2>/dev/null | xargs -r kill -9 || true
        ip netns delete "$host" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap clean_up EXIT

for host in "${hosts[@]}"; do
    ip netns add "$host"
    ip -n "$host" link set lo up
done
ip -n "${hosts[0]}" link add "${links[0]}" type veth peer name "${links[1]}" netns "${hosts[1]}"
for i in 0 1; do
    ip -n "${hosts[i]}" address add "${addresses[i]}/24" dev "${links[i]}"
    ip -n "${hosts[i]}" link set "${links[i]}" up
    echo "${addresses[i]} slots=1" >>"$folder/hosts"
done

# `agent ADDRESS COMMAND …` runs the command on the host of that address, as ssh would.
cat >"$folder/agent" <<END
#!/bin/sh
case \$1 in
    ${addresses[0]}) host=${hosts[0]} ;;
    ${addresses[1]}) host=${hosts[1]} ;;
    *) echo "agent: no host \$1" >&2; exit 1 ;;
esac
shift
exec ip netns exec \$host unshare --uts sh -c "hostname \$host; \$*"
END

# mpirun on the first host. Not bound to cores: both hosts would begin at the first one of this machine.
cat >"$folder/mpirun" <<END
#!/bin/sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
exec ip netns exec ${hosts[0]} unshare --uts sh -c 'hostname ${hosts[0]}; exec mpirun "\$@"' mpirun \\
    --hostfile $folder/hosts --map-by node --bind-to none -mca plm_rsh_agent $folder/agent -mca btl tcp,self \\
    -mca btl_tcp_if_include 10.213.7.0/24 -mca oob_tcp_if_include 10.213.7.0/24 "\$@"
END
chmod +x "$folder/agent" "$folder/mpirun"

bytes() { ip netns exec "${hosts[0]}" cat "/sys/class/net/${links[0]}/statistics/tx_bytes"; }

names=$("$folder/mpirun" -n 2 hostname | sort | xargs)
echo "two ranks on: $names"
[ "$names" = "${hosts[*]}" ] || { echo "two_hosts.sh: the ranks are not on two hosts" >&2; exit 1; }
before=$(bytes)
[ $# -gt 0 ] || set -- cargo test -p stpn --features mpi --test ranks
STPN_MPIRUN="$folder/mpirun" "$@"
echo "on two hosts: passed; $(( ($(bytes) - before) / 1000 )) kB went from the first to the second"
