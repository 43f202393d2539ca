#!/bin/sh
# Asks this Redis something as its operator: ask.sh ROLE, ask.sh ACL LOAD, …
set -eu
REDISCLI_AUTH=$(cat /secrets/operator-password) exec redis-cli --tls --cacert /secrets/ca.pem --user operator -p 6379 "$@"
