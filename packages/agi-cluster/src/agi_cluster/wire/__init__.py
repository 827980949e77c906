"""Translation between domain values and protobuf, used by clients and servicers alike.

One module per noun, with ``NOUN_to_wire`` and ``NOUN_from_wire``. Import each from its own module.
"""
