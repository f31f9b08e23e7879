/*
 * An echo server that freezes: in the last FREEZE_MS of every PERIOD_MS it does nothing at all. The schedule counts from
 * the start on CLOCK_MONOTONIC and does not drift. On SIGTERM it writes to OUT what followed from it, as u64s:
 *
 *     number of arrivals, each one's intended_ns; number of freezes, each one's start and end in ns
 *
 * An arrival is a record of the load (flags 0). So the latencies of exactly those that occurred follow from arithmetic.
 * It shares no code with server/: one process, short records, and a client that reads what it asked for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 65536,
    DESCRIPTORS = 1 << 20,
    EVENTS = 64,
    HEADER_BYTES = 32, /* docs/contracts.md, The record */
    FLAGS_AT = 3,
    LENGTH_AT = 4,
    INTENDED_AT = 20,
    LOAD = 0,
};

/* The stream of one connection, cut into records. */
struct stream {
    unsigned char header[HEADER_BYTES];
    uint32_t have; /* of the header */
    uint32_t skip; /* filler still to come */
};

struct list {
    uint64_t *values;
    size_t count, room;
};

static struct stream *streams[DESCRIPTORS];
static struct list arrivals, freezes;

static void end_with(const char *what)
{
    fprintf(stderr, "frozen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void add(struct list *list, uint64_t value)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 1 << 16;
        list->values = realloc(list->values, list->room * sizeof *list->values);
        if (!list->values)
            end_with("no memory");
    }
    list->values[list->count++] = value;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct timespec span(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

/* Note the intended time of every record of the load that has come. */
static void note(struct stream *stream, const unsigned char *bytes, size_t size)
{
    while (size) {
        uint32_t *left = &stream->skip, missing = HEADER_BYTES - stream->have;
        size_t take = *left ? *left : missing;
        if (take > size)
            take = size;
        if (*left) {
            *left -= (uint32_t)take;
        } else {
            memcpy(stream->header + stream->have, bytes, take);
            stream->have += (uint32_t)take;
        }
        bytes += take;
        size -= take;
        if (stream->have < HEADER_BYTES || *left)
            continue;
        if (missing) { /* it has just become whole */
            uint64_t intended;
            uint32_t length;
            memcpy(&intended, stream->header + INTENDED_AT, sizeof intended);
            memcpy(&length, stream->header + LENGTH_AT, sizeof length);
            if (stream->header[FLAGS_AT] == LOAD)
                add(&arrivals, intended);
            *left = length - HEADER_BYTES;
        }
        if (!*left)
            stream->have = 0;
    }
}

/* False: it has ended. A reply that does not fit into the socket's buffer cannot happen with these clients. */
static bool echo(int fd)
{
    static unsigned char chunk[CHUNK_BYTES];
    ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    note(streams[fd], chunk, (size_t)got);
    return send(fd, chunk, (size_t)got, MSG_NOSIGNAL) == got;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        end_with("epoll_ctl");
}

static void take_in(int epoll, int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        streams[fd] = calloc(1, sizeof *streams[fd]);
        if (!streams[fd])
            end_with("no memory");
        watch(epoll, fd);
    }
}

static int save(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        end_with(path);
    uint64_t pairs = freezes.count / 2, count = arrivals.count;
    fwrite(&count, sizeof count, 1, file);
    fwrite(arrivals.values, sizeof *arrivals.values, arrivals.count, file);
    fwrite(&pairs, sizeof pairs, 1, file);
    fwrite(freezes.values, sizeof *freezes.values, freezes.count, file);
    return fclose(file) ? 1 : 0;
}

/* Serve, and in the last `freeze` of every `period` sleep; until SIGTERM. */
static void serve(int epoll, int listener, int signals, uint64_t period, uint64_t freeze)
{
    struct epoll_event events[EVENTS];
    uint64_t start = now_ns();
    for (;;) {
        uint64_t now = now_ns(), asleep_at = now - (now - start) % period + period - freeze;
        if (now >= asleep_at) {
            struct timespec until = span(asleep_at + freeze);
            add(&freezes, asleep_at);
            add(&freezes, asleep_at + freeze);
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
            continue;
        }
        struct timespec awake = span(asleep_at - now);
        int n = epoll_pwait2(epoll, events, EVENTS, &awake, NULL);
        for (int i = 0; i < n && now_ns() < asleep_at; i++) { /* what is left over comes again */
            int fd = events[i].data.fd;
            if (fd == signals)
                return;
            if (fd == listener) {
                take_in(epoll, fd);
            } else if (!echo(fd)) {
                close(fd);
                free(streams[fd]);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: frozen HOST PORT PERIOD_MS FREEZE_MS OUT\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    int yes = 1, epoll = epoll_create1(EPOLL_CLOEXEC), signals = signalfd(-1, &term, SFD_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        end_with("cannot listen");
    watch(epoll, listener);
    watch(epoll, signals);
    serve(epoll, listener, signals, (uint64_t)atoi(argv[3]) * 1000000, (uint64_t)atoi(argv[4]) * 1000000);
    return save(argv[5]);
}
