# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced in the guest: sets up two hosts, client and server, and between them two paths of
# different delay. An MPTCP connection from the client to 10.0.0.2 uses both.
set -euo pipefail

# One-way delay of each path.
delays=(5ms 30ms)

ip netns add client
ip netns add server
for i in "${!delays[@]}"; do
	ip link add "path$i" netns client type veth peer name "path$i" netns server
	for host in client server; do
		[[ $host == client ]] && address=10.0.$i.1 || address=10.0.$i.2
		ip -n "$host" address add "$address/24" dev "path$i"
		ip -n "$host" link set "path$i" up
		tc -n "$host" qdisc add dev "path$i" root netem delay "${delays[i]}"
	done
done
# The send buffers are too small to fill the paths, so that no queue adds to the delay.
ip netns exec client sysctl -q net.ipv4.tcp_wmem='4096 16384 131072'
ip netns exec server sysctl -q net.ipv4.tcp_wmem='4096 16384 131072'
# The client opens the second subflow to the address that the server announces.
ip -n client mptcp limits set add_addr_accepted 1 subflow 1
ip -n server mptcp limits set subflow 1
ip -n server mptcp endpoint add 10.0.1.2 dev path1 signal
