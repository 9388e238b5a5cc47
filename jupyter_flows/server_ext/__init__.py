"""The Jupyter server extension: hosts one worker, and answers REST and events under ``/flows/v1/``.

`app` is what Jupyter loads, `service` what lives as long as the server, `endpoint` how a handler says
what it takes and gives, `handlers` the calls themselves, `events` the WebSocket, `openapi` the description.
"""
