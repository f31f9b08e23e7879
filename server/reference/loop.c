/* One level-triggered epoll loop, and the taking in of connections. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 512,
    ACCEPTS_PER_TURN = 256, /* a burst of new connections must not keep those already held waiting */
};

static const uint64_t LISTENER = 1ULL << 32; /* marks an event's descriptor as a listener's */

static int epoll;
static int spare; /* given up when all other descriptors are used, so that there is room to accept and close */

static int control(int operation, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epoll, operation, fd, &event);
}

void wait_for_input(int fd) { control(EPOLL_CTL_MOD, fd, EPOLLIN, (uint64_t)fd); }
void wait_for_room(int fd) { control(EPOLL_CTL_MOD, fd, EPOLLOUT, (uint64_t)fd); }

static void opened(void)
{
    slot->accepted++;
    slot->open = slot->accepted - slot->closed;
    if (slot->open > slot->peak)
        slot->peak = slot->open;
}

static void ended(int fd)
{
    close(fd); /* the only copy, so that epoll forgets it too */
    slot->closed++;
    slot->open = slot->accepted - slot->closed;
}

static void refused(int fd)
{
    close(fd);
    slot->accepted++;
    slot->closed++;
    slot->limit_code = LIMIT_DESCRIPTORS;
}

static void pause_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL); }

static void take_spare(void) { spare = open("/dev/null", O_RDONLY | O_CLOEXEC); }

/* Out of descriptors the listener would stay ready, and the loop spin: accept and close. False: nobody waits. */
static bool refuse_one(int listener)
{
    if (spare >= 0)
        close(spare);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool empty = fd < 0 && errno == EAGAIN;
    if (fd >= 0)
        refused(fd);
    else if (!empty)
        pause_a_little(); /* the whole system is out of descriptors */
    take_spare();
    return !empty;
}

static void take_in(int listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            opened();
            if (control(EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)fd))
                ended(fd); /* no memory, or max_user_watches: the client sees that it is closed */
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!refuse_one(listener))
                return;
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            pause_a_little();
        } /* anything else is about the one connection that broke while it waited, and it is gone */
    }
}

void serve(const struct server *server, const int *listeners, int count)
{
    struct epoll_event events[EVENTS];
    epoll = epoll_create1(EPOLL_CLOEXEC);
    take_spare();
    if (epoll < 0 || spare < 0)
        refuse("cannot begin: %s. Raise the limit (ulimit -n)", strerror(errno));
    for (int i = 0; i < count; i++)
        if (control(EPOLL_CTL_ADD, listeners[i], EPOLLIN, LISTENER | (uint64_t)listeners[i]))
            refuse("cannot watch a listener: %s", strerror(errno));
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        /* A descriptor is closed only while its own event is handled, so that no later one of this turn can mean
           the connection that takes its number. */
        for (int i = 0; i < n; i++) {
            int fd = (int)events[i].data.u64;
            if (events[i].data.u64 & LISTENER) {
                take_in(fd);
            } else if (!server->ready(fd)) {
                if (server->ended)
                    server->ended(fd);
                ended(fd);
            }
        }
    }
}
