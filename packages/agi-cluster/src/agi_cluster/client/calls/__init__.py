"""Every method of the API as a function that makes its `Call`, `Stream` or `Watch`.

One module per service. Names of resources may be given with or without their collection, apps in
any of the three forms; a mutation gets a new request id unless one is given.
"""
