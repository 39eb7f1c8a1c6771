#!/bin/sh
# Starts Prometheus with the token that opens the API's figures: in a file of its own, which no
# configuration shows and nobody else can read.
set -eu
umask 077
printf %s "$METRICS_TOKEN" > /tmp/token
exec /bin/prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus \
    --storage.tsdb.retention.time=30d --storage.tsdb.retention.size=8GB
