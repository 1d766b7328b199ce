#!/bin/bash
# Starts mongod as a replica set of one, with its key file, once `install` has put the credentials here.
#
# The image's own entry point makes the root user while the data directory is empty: it starts mongod on loopback without
# --replSet and --keyFile, creates the user, stops it, and then starts it for good as asked. It takes the password from
# the environment, so that is where it is put, for that first start only; no compose file and no `docker inspect` has it.
set -euo pipefail
trap 'exit 0' TERM INT

secrets=/secrets/mongo
until [ -r "$secrets/keyfile" ] && [ -r "$secrets/root.password" ]; do
  echo "waiting for the credentials" >&2
  sleep 1
done

if [ ! -e /data/db/WiredTiger ]; then
  MONGO_INITDB_ROOT_USERNAME=root
  MONGO_INITDB_ROOT_PASSWORD=$(<"$secrets/root.password")
  export MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD
fi

exec docker-entrypoint.sh mongod --replSet rs0 --keyFile "$secrets/keyfile" --bind_ip_all \
  --wiredTigerCacheSizeGB "${MONGO_CACHE_GB:-0.5}"
