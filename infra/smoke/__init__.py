"""Live calls against a deployed stack: what moto and a linter cannot show. `make smoke STACK=...`.

Each check is a function in `isolation`, `paths` or `wiring`; it raises `Failed`, or `NotShown`
where something it needs is missing. Nothing of a tenant is read: what is written is of a tenant
made up for the run, and is taken away at its end.
"""
