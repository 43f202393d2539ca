#!/bin/sh
# Starts Redis under the name $1 (redis, redis-replica) as one of two. Who is the primary is for Sentinel to say: it has Redis write
# that into its configuration file, from which it is taken over here; everything else is as shipped.
set -eu
file=/data/redis.conf
if [ -e "$file" ]; then
    following=$(grep '^replicaof ' "$file" || true)
elif [ "$1" = redis ]; then
    following=
else
    following='replicaof redis 6379'
fi
cat >"$file" <<END
include /lubdub/lubdub.conf
include /lubdub/available.conf
replica-announce-ip $1
$following
END
exec redis-server "$file"
