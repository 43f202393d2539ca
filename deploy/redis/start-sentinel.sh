#!/bin/sh
# Starts a Sentinel at the address $1, to watch the Redis that is the primary in the beginning, at $2. What it learns it writes into its configuration file, which is made at the first start.
set -eu
file=/data/sentinel.conf
if [ ! -e "$file" ]; then
    cat >"$file" <<END
include /lubdub/sentinel.conf
sentinel announce-ip $1
sentinel monitor lubdub $2 6379 2
sentinel down-after-milliseconds lubdub 3000
sentinel failover-timeout lubdub 15000
sentinel parallel-syncs lubdub 1
include /secrets/sentinel-auth.conf
END
fi
exec redis-server "$file" --sentinel
