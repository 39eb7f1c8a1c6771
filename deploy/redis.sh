#!/bin/sh
# Starts Redis with a user for each service, who may send and take hints and nothing else. Who gives
# no password may ask whether it lives. No password is an argument of a process: all can see those.
set -eu
umask 077
users=${USERS_FILE:-/run/redis/users.acl}
# The queues by Celery's names, and the channel on which it is told what has moved on.
send="resetchannels &pixelmill.moves ~cpu* ~gpu* ~io* ~_kombu.binding* \
+@connection +@transaction +llen +lpush +sadd +smembers +publish"
take="$send +brpop"
# The counts of the rate limit, which are scripts of the library `limits`.
count="~LIMITS:* +incrby +expire +get +ttl +evalsha +eval +script|load"
cat > "$users" <<END
user default on nopass resetkeys resetchannels -@all +ping
user api on >$API_REDIS_PASSWORD $send $count +subscribe +unsubscribe
user io on >$IO_REDIS_PASSWORD $take
user worker on >$WORKER_REDIS_PASSWORD $take
user beat on >$BEAT_REDIS_PASSWORD $send
END
# It holds hints only: it may lose all of them, so it writes nothing to a disk.
exec redis-server --aclfile "$users" --protected-mode no --save "" --appendonly no "$@"
