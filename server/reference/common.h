/*
 * What the C reference servers share. The generator is measured against them, so they do as little as a correct
 * server can. Read c_null.c first and c_echo.c next: each is one idea, and common.c serves both.
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

enum { MOST_DESCRIPTORS = 1 << 20 }; /* every descriptor of a process is below it */

extern struct slot *slot; /* this worker's own */

/*
 * Serve until a signal ends the process; returns the exit status. `ready` does one step with a connection that can be
 * read and for which nothing waits to be sent, and never blocks; false: it has ended, close it.
 */
int run(int argc, char **argv, bool (*ready)(int fd));

/* Send it, and keep what the peer does not take yet; false where the connection is broken. */
bool answer(int fd, const char *bytes, size_t size);
bool broken(void); /* whether errno means more than that nothing can be done now */

#endif
