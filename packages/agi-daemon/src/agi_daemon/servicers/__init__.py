"""The API's services: each unpacks a request, calls the core and packs the answer."""
