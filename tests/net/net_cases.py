"""All cases by name: importing a module of cases registers them."""

import importlib

from net_record import CASES as CASES

for _family in (
    "depth",
    "shift",
    "isotropy",
    "attribution",
    "geco",
    "defsent",
    "datasets",
    "encoders",
    "reports",
    "pages",
    "cli",
):
    importlib.import_module(f"net_{_family}")
