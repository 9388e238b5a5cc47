"""The kernel: an IPython that also runs executions, and keeps their state in savepoints.

`python -m jupyter_flows.kernel --socket PATH --kernel-id ID` is the headless one, which a worker
starts for one execution (`runner`); with `-f CONNECTION_FILE` it is the Jupyter kernel behind a notebook
(`notebook`). Both share the shell that compiles cells as units (`shell`) and the runtime behind the
Flow API (`runtime`). A kernel knows no database: it speaks `protocol` with the worker on its machine.
"""
