"""The other side of every wire, run locally: simulators of what other organisations run. Nothing here is part of the product."""
