"""Create a named savepoint, and go on from it after an error.

Run it: it ends with an error, because the remote API does not answer. Start that with
`python remote_api.py`, restore the savepoint 'with-fetched-data', and the flow goes on from there: it does
not fetch the data again.
"""

import flow_api

import make_database


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    make_database.make_when_missing()

    # fetch some data
    data = this.connect(
        connector_type="SQL",
        url="sqlite:///flights.sqlite",
        fetch="SELECT * FROM data",
    ).get("output_value")

    # create a named savepoint
    # in case of an error the execution can be reverted
    # to this state and resume normal operations
    this.create_savepoint("with-fetched-data")

    # process the data
    # in case the remote-api call fails it is possible to
    # revert to the savepoint above and retry the remote-api call
    # without having to fetch the data again
    answer = this.connect(
        connector_type="REST",
        name="remote-api",
        method="POST",
        url=inputs.get("remote_api", "http://127.0.0.1:8765/worst"),
        json=data["result"],
    ).get("output_value")
    this.set_output(worst=answer["json"])
    return this.success("all done")
