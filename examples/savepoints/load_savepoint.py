"""Go back to a savepoint from within the flow: a step is tried until it works, each time from the same state.

Be careful to avoid loops: the complete state goes back, so a variable that counts the attempts would go
back too. What a restore does not touch can count them, here the children. (A flow that has loaded the same
savepoint 100 times is stopped.)
"""

import flow_api


def handler(system: flow_api.System, this: flow_api.Execution):
    this.create_savepoint("before-the-attempt")
    attempts = len(system.executions(parent=this)) + 1
    try:
        this.flow("my_other_flow_name", fail=attempts < 3)
    except flow_api.DependencyFailedError:
        this.log("attempt failed, going back", attempt=attempts, level="warning")
        this.load_savepoint("before-the-attempt", by="name")
    this.set_output(attempts=attempts)
    return this.success(f"all done at attempt {attempts}")
