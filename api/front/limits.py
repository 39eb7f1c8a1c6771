"""What a peer may take of time and space before it is cut off, in seconds and bytes."""

# From the connection, or the first byte of a further request, to the end of its headers.
HEADER_S = 10.0
# Of a connection on which nothing is asked.
IDLE_S = 30
# Between two pieces of a body, and for the body at all before its least rate counts.
BODY_S = 30.0
# Bytes a second that a body has on average: a caller on a telephone has more.
LEAST_RATE = 16 * 1024
# For a peer to take one piece of an answer.
SEND_S = 30.0
SENT = 64 * 1024
# Of an answer that its peer does not read: what the system holds, beside what is on its way.
UNSENT = 128 * 1024
# Of silence in a stream of events, before a comment: a proxy takes a longer one for an end.
HEARTBEAT_S = 15.0
# Of a body that nobody wants: a rest up to this is read, so that the connection can stay.
DRAINED = 1024 * 1024
DRAIN_S = 2.0
# Of a connection that we have ended: for its peer to read what we said and to end it too.
LINGER_S = 2.0
# Read of a body at a time before a thread takes it on.
GATHERED = 256 * 1024
# A request line or one of its headers is in no honest request longer.
LONGEST_TARGET = 8190
LONGEST_HEAD = 64 * 1024
MOST_HEADERS = 100
# Connections of one process; past it the one that has waited longest without a request gives way.
MOST_CONNECTIONS = 8192
