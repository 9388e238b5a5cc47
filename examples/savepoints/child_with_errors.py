"""Create a child execution and handle errors: without the `except`, this flow would fail with its child."""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution):
    for fail in (True, False):
        try:
            my_flow = this.flow("my_other_flow_name", fail=fail)
        except flow_api.DependencyFailedError:
            this.log("my_other_flow_name failed")
        else:
            this.log("my_other_flow_name succeeded", greeting=my_flow.get("output_value")["greeting"])
    return this.success("all done")
