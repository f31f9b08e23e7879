/* The worker processes, their epoll loop, and answers. `python -m server serve` has opened listeners and statistics. */
#define _GNU_SOURCE
#include "common.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FAILED = 1,
    BAD_INPUT = 2,
    LIMIT_DESCRIPTORS = 2, /* the only limit_code a server on epoll can show */
    EVENTS = 512,
    ACCEPTS_PER_TURN = 256, /* a burst of new connections must not keep those already held waiting */
};

static const uint64_t LISTENER = 1ULL << 32; /* marks an event's descriptor as a listener's */

/* What a peer does not take yet. It lives only while a short write is open, so that a connection that is merely held
 * costs one pointer. */
struct rest {
    size_t begin, end;
    char bytes[];
};

struct slot *slot;
static int epoll;
static int spare; /* given up when all other descriptors are used, so that there is room to accept and close */
static struct rest *rests[MOST_DESCRIPTORS]; /* by descriptor; only the pages that are used exist */

static int control(int operation, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epoll, operation, fd, &event);
}

/* ---- answers -------------------------------------------------------------------------------------------------- */

bool broken(void) { return errno != EAGAIN && errno != EINTR; }

static void forget(int fd)
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
    control(EPOLL_CTL_MOD, fd, EPOLLOUT, (uint64_t)fd);
    return true;
}

/* Go on with what was kept, and read from the peer again when all of it has gone. */
static bool flush(int fd)
{
    struct rest *rest = rests[fd];
    ssize_t sent = give(fd, rest->bytes + rest->begin, rest->end - rest->begin);
    if (sent < 0)
        return false;
    rest->begin += (size_t)sent;
    if (rest->begin == rest->end) {
        forget(fd);
        control(EPOLL_CTL_MOD, fd, EPOLLIN, (uint64_t)fd);
    }
    return true;
}

/* ---- the taking in of connections ----------------------------------------------------------------------------- */

static void opened(void)
{
    slot->accepted++;
    slot->open = slot->accepted - slot->closed;
    if (slot->open > slot->peak)
        slot->peak = slot->open;
}

static void closed(int fd)
{
    if (rests[fd])
        forget(fd);
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
                closed(fd); /* no memory, or max_user_watches: the client sees that it is closed */
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

/* ---- one worker ----------------------------------------------------------------------------------------------- */

/* Nothing needs tidying: the numbers are in the shared map already, and the kernel closes every socket. */
static void end(int number)
{
    (void)number;
    _exit(0);
}

/* Serve every `step`th of the listeners; never returns. */
static void work(const int *listeners, int count, int step, bool (*ready)(int fd))
{
    struct epoll_event events[EVENTS];
    signal(SIGTERM, end);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    take_spare();
    if (epoll < 0 || spare < 0)
        err(BAD_INPUT, "cannot begin; raise the limit (ulimit -n)");
    for (int i = 0; i < count; i += step)
        if (control(EPOLL_CTL_ADD, listeners[i], EPOLLIN, LISTENER | (uint64_t)listeners[i]))
            err(BAD_INPUT, "cannot watch a listener");
    slot->pid = (uint64_t)getpid();
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        /* A descriptor is closed only while its own event is handled, so that no later one of this turn can mean
           the connection that takes its number. */
        for (int i = 0; i < n; i++) {
            int fd = (int)events[i].data.u64;
            if (events[i].data.u64 & LISTENER) {
                take_in(fd);
            } else if (!(rests[fd] ? flush(fd) : ready(fd))) {
                closed(fd);
            }
        }
    }
}

/* ---- several workers ------------------------------------------------------------------------------------------ */

/* Fork the workers, pass SIGTERM on, and reap. A worker that ends unbidden ends them all: half a server misleads. */
static int supervise(int workers, const int *listeners, int count, bool (*ready)(int fd))
{
    sigset_t awaited, before;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, &before);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP}, NULL); /* ends only */
    pid_t parent = getpid(), *pids = calloc((size_t)workers, sizeof *pids);
    int forked = 0, status = 0;
    for (; pids && forked < workers; forked++) {
        pids[forked] = fork();
        if (pids[forked] < 0)
            break;
        if (pids[forked] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(FAILED);
            for (int i = 0; i < count; i++)
                if (i % workers != forked)
                    close(listeners[i]);
            signal(SIGINT, SIG_IGN); /* a terminal tells the whole group; the parent's word counts */
            sigprocmask(SIG_SETMASK, &before, NULL);
            slot += forked;
            work(listeners + forked, count - forked, workers, ready);
        }
    }
    /* A listener lives as long as any copy of it, and would go on queueing connections for a worker that is gone. */
    for (int i = 0; i < count; i++)
        close(listeners[i]);
    int came = 0;
    if (forked == workers)
        sigwait(&awaited, &came);
    if (came != SIGTERM && came != SIGINT) {
        warnx(came ? "a worker ended unbidden" : "cannot start every worker");
        status = FAILED;
    }
    for (int i = 0; i < forked; i++)
        kill(pids[i], SIGTERM); /* they are our children, not yet reaped, so the pids are theirs */
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    free(pids);
    return status;
}

/* All workers' slots in one shared map: of the file, or where it has no name of memory that nobody reads. */
static struct slot *map_slots(const char *file, int workers)
{
    int fd = *file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    int flags = *file ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
    void *map = mmap(NULL, sizeof(struct slot) * (size_t)workers, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (map == MAP_FAILED)
        err(BAD_INPUT, "cannot map the statistics of %s", file);
    if (fd >= 0)
        close(fd);
    return map;
}

/* The arguments: the file of statistics, how many workers, and the listeners' descriptors, for each port in turn one
 * for each worker. */
int run(int argc, char **argv, bool (*ready)(int fd))
{
    if (argc < 4)
        errx(BAD_INPUT, "this is started by `python3 -m server serve`, which gives it its listeners");
    int workers = atoi(argv[2]), count = argc - 3, listeners[count];
    for (int i = 0; i < count; i++)
        listeners[i] = atoi(argv[3 + i]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < MOST_DESCRIPTORS ? limit.rlim_max : MOST_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
    slot = map_slots(argv[1], workers);
    if (workers > 1)
        return supervise(workers, listeners, count, ready);
    signal(SIGINT, end);
    work(listeners, count, 1, ready);
    return 0;
}
