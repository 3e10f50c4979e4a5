"""Instance-hours a second of CloudKitty's hashmap module, at its best: its rules are in memory, its
data frames are made ahead of the clock, and nothing is stored."""

import datetime
import decimal
import sys
import time

from cloudkitty import dataframe
from cloudkitty.rating.hash import HashMap

instances, hours, flavors, rounds = (int(argument) for argument in sys.argv[1:])

# What reads the rules from the module's database is not run: they are put where it would put them.
module = HashMap.__new__(HashMap)
module._tenant_id, module._res = None, {}
prices = {
    f"flavor-{n}": {"type": "flat", "cost": decimal.Decimal("0.36") * (n + 1)}
    for n in range(flavors)
}
fields = {"flavor_id": {"mappings": {"_DEFAULT_": prices}, "thresholds": {}}}
module._entries = {"instance": {"mappings": {}, "thresholds": {}, "fields": fields}}

start = datetime.datetime(2026, 9, 1, tzinfo=datetime.timezone.utc)
hour = datetime.timedelta(hours=1)


def frames():
    for n in range(hours):
        frame = dataframe.DataFrame(start=start + n * hour, end=start + (n + 1) * hour)
        points = [
            dataframe.DataPoint(
                "instance", 1, 0, {"id": str(id)}, {"flavor_id": f"flavor-{id % flavors}"}
            )
            for id in range(instances)
        ]
        frame.add_points(points, "instance")
        yield frame


best = 0.0
for _ in range(rounds):
    unrated = list(frames())
    began = time.perf_counter()
    rated = [module.process(frame) for frame in unrated]
    took = time.perf_counter() - began
    assert all(point.price > 0 for frame in rated for _, point in frame.iterpoints())
    best = max(best, instances * hours / took)
print(best)
