/*
 * The HTTP twin of c_echo: the same loop, and for each request, whatever it asks for, the same 64 bytes. wrk speaks only
 * HTTP; against this server it meets the same work as a generator of 64-byte records meets against c_echo.
 */
#include "../../server/reference/common.h"

#include <string.h>
#include <sys/socket.h>

enum { CHUNK_BYTES = 65536, SHORTEST_REQUEST = 4, RESPONSE_BYTES = 64 };

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nten thousand connections\n";
_Static_assert(sizeof response == RESPONSE_BYTES + 1, "a response is as long as a record");

static const char ending[] = "\r\n\r\n"; /* of a request: it has no body */
static unsigned char seen[MOST_DESCRIPTORS]; /* how much of the ending has come, by descriptor */

static bool respond(int fd)
{
    static char chunk[CHUNK_BYTES], out[CHUNK_BYTES / SHORTEST_REQUEST * RESPONSE_BYTES];
    ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got < 0 && !broken())
        return true;
    if (got <= 0) {
        seen[fd] = 0;
        return false;
    }
    slot->bytes_in += (uint64_t)got;
    size_t size = 0;
    for (ssize_t i = 0; i < got; i++) {
        seen[fd] = chunk[i] == ending[seen[fd]] ? seen[fd] + 1 : chunk[i] == ending[0];
        if (seen[fd] == sizeof ending - 1) {
            seen[fd] = 0;
            memcpy(out + size, response, RESPONSE_BYTES);
            size += RESPONSE_BYTES;
        }
    }
    return size == 0 || answer(fd, out, size);
}

int main(int argc, char **argv) { return run(argc, argv, respond); }
