/*
 * What the C reference servers share. The generator is measured against them, so they do as little as a correct
 * server can. Read c_null.c first and c_echo.c next: each is one idea, and what is here serves both.
 */
#ifndef REFERENCE_COMMON_H
#define REFERENCE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One worker's statistics, as server/slots.py reads them. Only the worker writes, with plain stores. */
struct slot {
    uint64_t accepted, open, peak, closed, bytes_in, bytes_out, limit_code, pid;
};

enum {
    LIMIT_DESCRIPTORS = 2,      /* the only limit_code a server on epoll can show */
    MOST_DESCRIPTORS = 1 << 20, /* every descriptor of a process is below it */
};

/* What one server does with a connection that is ready. It never sees the listeners. */
struct server {
    const char *name;
    const char *what;      /* for --help, one sentence */
    bool (*ready)(int fd); /* one step that never blocks; false: it has ended, close it */
    void (*ended)(int fd); /* forget what was kept for it; may be NULL */
};

struct options {
    const char *host;
    const char *stats; /* NULL: nobody reads the numbers */
    int port, ports, backlog, workers;
};

extern struct slot *slot; /* this worker's own */

/* common.c: the command line, the listeners, the statistics file, the worker processes. Returns the exit status. */
int run(int argc, char **argv, const struct server *server);

/* loop.c: serve what the `count` listeners accept, until a signal ends the process. */
void serve(const struct server *server, const int *listeners, int count);
void wait_for_input(int fd);
void wait_for_room(int fd);

/* pending.c: answers. Those that return a bool say false where the connection is broken. */
bool answer(int fd, const char *bytes, size_t size); /* send it, and keep what the peer does not take yet */
bool pending(int fd);                                /* whether something was kept: then flush it, and read nothing */
bool flush(int fd);
void forget(int fd);
bool broken(void); /* whether errno means more than that nothing can be done now */

/* Say one sentence on stderr and end with status 2: what a user can mend is no crash. */
void refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
