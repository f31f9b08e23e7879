// Only where there is an assembly file may a function have no body, as Monotonic in clock.go.
