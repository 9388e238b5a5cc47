"""Create a child execution: it is waited for, and its outputs can be read."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution):
    my_flow = this.flow("my_other_flow_name")
    outputs = my_flow.get("output_value")
    this.log("the child says", greeting=outputs["greeting"])
    return this.success("all done")
