"""Event loops: how one process learns which of its sockets are ready.

Read them in this order. Each begins where the one before it ends:

1. `blocking`: calls that wait, for one client at a time. It is the whole of an echo server in a few lines.
2. `select`: one thread waits for many clients with one call, so that nobody waits for another. It ends at 1024.
3. `poll`: the same with a list instead of sets, so it has no such end. But every call walks the whole list.
4. `epoll_level`: the kernel keeps the list, so idle connections cost nothing. This is the loop to know by heart.
5. `epoll_edge`: the kernel tells each change only once. That saves calls, and asks the loop to remember the rest.
6. `epoll_oneshot`: several threads wait for one epoll, and each event is told to one of them, once.
7. `epoll_raw`: the fourth loop without an object for a connection. It shows what Python itself costs.
8. `selectors`: one interface of the standard library to the second, third and fourth, for every system.
9. `asyncio_protocol`: the loop belongs to a framework, and calls the program when bytes have come.
10. `asyncio_buffered`: the framework reads into the program's own buffer, and that buffer is the answer.
11. `asyncio_streams`: a coroutine for each connection, whose code reads like that of the first loop.
12. `uvloop`: the program of the ninth, with a compiled loop in the place of the framework's.
13. `rloop`: the same with a loop in Rust, which is told each change only once, as the fifth is.
14. `twisted`: methods that are called, as in the ninth, and older than it. It waits before it sends.
15. `tornado`: coroutines over streams, as in the eleventh, and older than those.
16. `gevent`: calls that look blocking, as in the first loop, while a hidden loop switches between the connections.
17. `trio`: coroutines that cannot outlive the block that started them.
18. `anyio`: the manner of the seventeenth on the loop of the ninth.
19. `io_uring`: the kernel does not say that a socket is ready, but that the work is done.

A loop states what differs from the rule, which is that it serves as many clients as its process may have descriptors:

- `MOST_DESCRIPTORS = N`: it can use only descriptors below N.
- `ONE_CLIENT = True`: it serves one client at a time.
"""
