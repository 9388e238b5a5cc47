"""A small flow for others to start. With the input `fail` it ends with an error, for them to handle."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution, inputs: dict):
    if inputs.get("fail"):
        return this.error("asked to fail")
    this.set_output(greeting="hello from the child")
    return this.success("all done")
