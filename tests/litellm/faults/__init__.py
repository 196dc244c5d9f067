"""Many requests through proxies in which things fail, to plain groups and to aliases of them."""
