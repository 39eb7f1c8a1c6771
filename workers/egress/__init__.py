"""The one room through which Pixelmill calls out: images by URL, webhooks.

    url ─► jobs.inputs.addresses.check_url      what is written: scheme, host, port, odd forms
        ─► addresses.Resolver            one lookup; every answer must be allowed
        ─► connections.IdleConnections   a kept connection to that host AND address, or
        ─► connections.dial              a new one, to exactly that address; TLS by the name
        ─► client.Egress                 one exchange under one deadline and one byte budget

HTTP/1.1 is framed by h11, the parser under httpx, on a socket that we opened ourselves. A whole
client would resolve the name again, share connections by host alone, start its timeouts anew
with each byte, and has to be told not to follow, decompress, remember or read the environment.
"""

from workers.egress.client import Egress
from workers.egress.policy import EgressError, EgressPolicy, GivenUp, Reply

__all__ = ["Egress", "EgressError", "EgressPolicy", "GivenUp", "Reply"]
