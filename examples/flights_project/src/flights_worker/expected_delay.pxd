# The C types of expected_delay.py, for the compiled worker (the cython bit of the mode).
cimport cython


@cython.locals(
    count=Py_ssize_t, first=Py_ssize_t, end=Py_ssize_t, flight=Py_ssize_t, other=Py_ssize_t,
    highest=cython.longlong, minute=cython.longlong, apart=cython.longlong,
    weight=cython.longlong, weights=cython.longlong, weighted=cython.longlong,
)
cpdef fill_expected(
    const long long[::1] minutes, const long long[::1] delays, long long reach,
    long long[::1] expected,
)
