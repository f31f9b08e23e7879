/* Answers: sent at once, and what a peer does not take yet kept until it can be written to. */
#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* It lives only while a short write is open, so that a connection that is merely held costs one pointer. */
struct rest {
    size_t begin, end;
    char bytes[];
};

static struct rest *rests[MOST_DESCRIPTORS]; /* by descriptor; only the pages that are used exist */

bool broken(void) { return errno != EAGAIN && errno != EINTR; }

bool pending(int fd) { return rests[fd] != NULL; }

void forget(int fd)
{
    free(rests[fd]);
    rests[fd] = NULL;
}

/* How much of the bytes the kernel took, 0 if none now; -1 where the connection is broken. */
static ssize_t give(int fd, const char *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0)
        return broken() ? -1 : 0;
    slot->bytes_out += (uint64_t)sent;
    return sent;
}

bool answer(int fd, const char *bytes, size_t size)
{
    ssize_t sent = give(fd, bytes, size);
    if (sent < 0 || (size_t)sent == size)
        return sent >= 0;
    size -= (size_t)sent;
    struct rest *rest = malloc(sizeof *rest + size);
    if (!rest)
        return false;
    *rest = (struct rest){.end = size};
    memcpy(rest->bytes, bytes + sent, size);
    rests[fd] = rest;
    wait_for_room(fd);
    return true;
}

bool flush(int fd)
{
    struct rest *rest = rests[fd];
    ssize_t sent = give(fd, rest->bytes + rest->begin, rest->end - rest->begin);
    if (sent < 0)
        return false;
    rest->begin += (size_t)sent;
    if (rest->begin == rest->end) {
        forget(fd);
        wait_for_input(fd);
    }
    return true;
}
