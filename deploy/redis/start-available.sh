#!/bin/sh
# Starts Redis at the address $1, as one of two; $2 is the address of the one that is the primary in the beginning. Who is the primary
# is for Sentinel to say: it has Redis write that into its configuration file, from which it is taken over here; everything else is as
# shipped.
set -eu
file=/data/redis.conf
if [ -e "$file" ]; then
    following=$(grep '^replicaof ' "$file" || true)
elif [ "$1" = "$2" ]; then
    following=
else
    following="replicaof $2 6379"
fi
cat >"$file" <<END
include /lubdub/lubdub.conf
include /lubdub/available.conf
replica-announce-ip $1
$following
END
exec redis-server "$file"
