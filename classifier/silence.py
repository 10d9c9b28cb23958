"""Keeps ONNX Runtime from telling its makers about this machine.

Its wheels for Linux (seen in 1.31.1) bring Microsoft's telemetry along, switched on: at the import it writes a file
`.ses` into the folder for temporary files, and knows mobile.events.data.microsoft.com as the place to send events to.
Nothing leaves the school's machines (decision 6 of the design), so it is switched off before anything can import it:
this is the first thing that the package imports.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
