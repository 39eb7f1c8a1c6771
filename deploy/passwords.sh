#!/bin/sh
# Gives each service of docker-compose.yml its passwords: adds those to .env that are not there yet,
# and changes nothing else.
set -eu
umask 077
file=${1:-.env}
touch "$file"
chmod 600 "$file"
# A last line without an end would swallow the first password.
[ -z "$(tail -c 1 "$file")" ] || echo >> "$file"
for name in POSTGRES_PASSWORD MIGRATE_DATABASE_PASSWORD API_DATABASE_PASSWORD \
    IO_DATABASE_PASSWORD WORKER_DATABASE_PASSWORD API_REDIS_PASSWORD IO_REDIS_PASSWORD \
    WORKER_REDIS_PASSWORD BEAT_REDIS_PASSWORD METRICS_TOKEN GRAFANA_PASSWORD; do
    grep -q "^$name=." "$file" && continue
    printf '%s=%s\n' "$name" "$(head -c 24 /dev/urandom | od -A n -t x1 | tr -d ' \n')" >> "$file"
done
