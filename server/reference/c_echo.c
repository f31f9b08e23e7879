/*
 * The echo server that others are measured against: one level-triggered epoll loop in C.
 *
 * It reads only while nothing waits to be sent, which common.c sees to. So at most one chunk is ever buffered for a
 * connection, a peer that does not read is not read from, and the end of input is met only when all of it has been
 * answered: a half-close needs no code of its own.
 */
#include "common.h"

#include <sys/socket.h>

enum { CHUNK_BYTES = 65536 };

static bool echo(int fd)
{
    static char chunk[CHUNK_BYTES];
    ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0)
        return got < 0 && !broken();
    slot->bytes_in += (uint64_t)got;
    return answer(fd, chunk, (size_t)got);
}

int main(int argc, char **argv) { return run(argc, argv, echo); }
