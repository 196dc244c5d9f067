"""Judge routers on benchmarks, with intervals and baselines."""
