/* The null server: accepts, swallows, and never answers. What a generator can send to it is the generator's ceiling. */
#include "common.h"

#include <sys/socket.h>

enum { SWALLOW_BYTES = 1 << 20 };

static bool swallow(int fd)
{
    ssize_t got = recv(fd, NULL, SWALLOW_BYTES, MSG_TRUNC); /* of TCP this discards, without copying a byte */
    if (got > 0)
        slot->bytes_in += (uint64_t)got;
    return got > 0 || (got < 0 && !broken());
}

int main(int argc, char **argv) { return run(argc, argv, swallow); }
