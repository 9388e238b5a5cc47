"""Talk to another service: a connection is an execution of its own, with inputs, outputs and a status."""

import flow_api

import make_database


def handler(system: flow_api.System, this: flow_api.Execution):
    make_database.make_when_missing()
    my_connection = this.connect(
        connector_type="SQL",
        url="sqlite:///flights.sqlite",
        fetch="SELECT * FROM data",
    )
    # read the outputs of the connection and log them
    outputs = my_connection.get("output_value")
    this.log("flights by airline", rows=len(outputs["result"]), first=outputs["result"][0])
    return this.success("all done")
