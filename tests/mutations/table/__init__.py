"""All mutations: faults that somebody could write by mistake, sorted by what they would break."""

from tests.mutations.table.callers import CALLERS
from tests.mutations.table.delivery import DELIVERY
from tests.mutations.table.engine import ENGINE
from tests.mutations.table.erasure import ERASURE
from tests.mutations.table.inputs import INPUTS
from tests.mutations.table.leases import LEASES
from tests.mutations.table.queue import QUEUE
from tests.mutations.table.tenants import TENANTS

MUTATIONS = (
    *LEASES, *QUEUE, *CALLERS, *TENANTS, *INPUTS, *ERASURE, *DELIVERY, *ENGINE,
)  # fmt: skip
