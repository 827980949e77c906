"""The chaos harness: seeded workloads, seeded faults, and invariants that hold all the same."""
