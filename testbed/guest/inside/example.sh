#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: runs the documentation's examples, the C example in each of its builds; prints KTAP.
# usage: example.sh FOLDER
set -euo pipefail
. "${0%/*}/paths-lib.sh"
folder=$1

# listen PROTOCOL PORT: starts a server that reads all data, until the guest ends.
listen() {
	local ready
	exec {ready}< <(ip netns exec server python3 -c '
import socket, sys
listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, getattr(socket, sys.argv[1]))
listener.bind(("::", int(sys.argv[2])))
listener.listen()
print("listening", flush=True)
while True:
    connection = listener.accept()[0]
    while connection.recv(65536):
        pass
' "$1" "$2")
	read -rt 100 -u "$ready"
}

# shown LINE...: succeeds if the program has printed a line for each of these extended regular expressions.
out=/tmp/example.out
shown() {
	local line
	for line; do grep -Eqx "$line" $out || return 1; done
}

# try NAME PROGRAM HOST ADDRESS PORT LINE...: sends lines until the program has printed what is expected.
num=0
try() {
	local result='not ok'
	: >$out
	until shown "${@:6}"; do
		echo hello || break
		sleep 0.1
	done | timeout 100 ip netns exec "$3" "$folder/$2" "$4" "$5" &>$out && shown "${@:6}" && result=ok
	sed 's/^/# /' $out
	echo "$result $((++num)) $2: $1"
}

listen IPPROTO_MPTCP 5000
listen IPPROTO_TCP 5001
ip -n server link set lo up

echo 'KTAP version 1'
echo 1..14
# The round-trip time is at least twice the delay. The first byte acknowledged is the SYN.
path1=', 10\.0\.0\.1\.[0-9]+ > 10\.0\.0\.2\.5000: ESTABLISHED, RTT [1-9][0-9]{4,} us, ([7-9]|[1-9][0-9]+) bytes acked'
path2=', 10\.0\.1\.1\.[0-9]+ > 10\.0\.1\.2\.5000: ESTABLISHED, RTT ([6-9]|[1-9][0-9]+)[0-9]{4} us, [1-9][0-9]* bytes acked'
for program in gcc clang machine longer; do
	try 'two subflows' $program client 10.0.0.2 5000 "subflow 1$path1" "subflow 2$path2"
done
for program in unknown longer-unknown; do
	try 'two subflows, by the older options' $program client 10.0.0.2 5000 "subflow 0$path1" "subflow 0$path2"
done
try 'two subflows' python client 10.0.0.2 5000 '\[\(1, [1-9][0-9]{4,}\), \(1, ([6-9]|[1-9][0-9]+)[0-9]{4}\)\]'
try 'plain TCP' python server 127.0.0.1 5001 '\[Errno 95\] getsockopt'
for program in gcc unknown longer; do
	try 'plain TCP, IPv4' $program server 127.0.0.1 5001 'plain TCP: RTT [0-9]+ us'
	try 'plain TCP, IPv6' $program server ::1 5001 'plain TCP: RTT [0-9]+ us'
done
