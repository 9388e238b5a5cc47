"""One airline's delays by hour of the day: the flow that `on_time` starts once for each airline.

Inputs: `carrier` (its code), `flights` (a DataFrame of its flights), `fewest` (with fewer flights it
refuses). Outputs: `by_hour`, a DataFrame, and the figures `flights`, `cancelled`, `on_time`.
"""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    flights = inputs["flights"]
    if len(flights) < inputs["fewest"]:
        return this.error(f"{len(flights)} flights are too few to say anything about {inputs['carrier']}")

    flown = flights.dropna(subset=["dep_delay", "arr_delay"])
    this.log("flights", carrier=inputs["carrier"], flown=len(flown), cancelled=len(flights) - len(flown))

    by_hour = flown.groupby("hour").agg(
        flights=("dep_delay", "size"),
        late=("dep_delay", lambda delays: float((delays > 15).mean())),
        median_delay=("dep_delay", "median"),
    )
    this.set_output(
        by_hour=by_hour,
        flights=len(flights),
        cancelled=len(flights) - len(flown),
        on_time=round(float((flown["arr_delay"] <= 15).mean()), 4),
    )
    return this.success(f"{inputs['carrier']}: {len(flights)} flights")
