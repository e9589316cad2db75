#!/bin/sh
# instructions.sh RILLE PATH COUNT: instructions a request in user space, over COUNT requests after 320 to warm up.
# Needs valgrind, and for /get a redis-server on port 6399 with a `greeting`.
set -eu
here=$(dirname "$(readlink -f "$0")")
out=$(mktemp -d)
cc -O2 -shared -fPIC -o "$out/clock.so" "$here/clock.c"
LD_PRELOAD="$out/clock.so" valgrind --tool=callgrind --callgrind-out-file="$out/profile" \
    "$1" serve "$here/app" --listen 127.0.0.1:8097 --workers 1 >"$out/log" 2>&1 &
server=$!
until python3 "$here/client.py" 8097 "$2" 320 >"$out/warm" 2>&1; do sleep 0.5; done
callgrind_control --zero $server >"$out/control"
python3 "$here/client.py" 8097 "$2" "$3" >"$out/last"
callgrind_control --dump $server >"$out/control"
sleep 1
kill $server
awk -v count="$3" '/^totals:/ { print $2 / count; exit }' "$out/profile.1"
rm -r "$out"
