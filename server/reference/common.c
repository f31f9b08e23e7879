/* The command line, the listeners, the statistics file, and the worker processes. */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 1, BAD_INPUT = 2 };

struct slot *slot;
static const char *program;

void refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(BAD_INPUT);
}

/* ---- options -------------------------------------------------------------------------------------------------- */

static int number(const char *name, const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high)
        refuse("--%s is '%s', not a whole number from %ld to %ld. See %s --help", name, text, low, high, program);
    return (int)value;
}

static void help(const struct server *server)
{
    printf("%s: %s\n\n"
           "  --host ADDRESS   numeric address to listen on (default: 127.0.0.1)\n"
           "  --port N         first port to listen on (default: 9000)\n"
           "  --ports N        how many ports, from the first on (default: 1)\n"
           "  --backlog N      argument of listen() (default: 4096)\n"
           "  --workers N      processes, each with its own SO_REUSEPORT listeners (default: 1)\n"
           "  --stats FILE     where to keep statistics, 64 bytes for each worker\n",
           server->name, server->what);
}

static struct options parse(int argc, char **argv, const struct server *server)
{
    static const struct option names[] = {
        {"host", required_argument, 0, 'h'},    {"port", required_argument, 0, 'p'},
        {"ports", required_argument, 0, 'n'},   {"backlog", required_argument, 0, 'b'},
        {"workers", required_argument, 0, 'w'}, {"stats", required_argument, 0, 's'},
        {"help", no_argument, 0, 'H'},          {0},
    };
    struct options options = {.host = "127.0.0.1", .port = 9000, .ports = 1, .backlog = 4096, .workers = 1};
    opterr = 0;
    for (int name; (name = getopt_long(argc, argv, ":", names, NULL)) != -1;) {
        switch (name) {
        case 'h': options.host = optarg; break;
        case 'p': options.port = number("port", optarg, 1, 65535); break;
        case 'n': options.ports = number("ports", optarg, 1, 1000); break;
        case 'b': options.backlog = number("backlog", optarg, 1, 1 << 20); break;
        case 'w': options.workers = number("workers", optarg, 1, 1024); break;
        case 's': options.stats = optarg; break;
        case ':': refuse("%s needs a value. See %s --help", argv[optind - 1], program);
        case 'H': help(server); exit(0);
        default: refuse("there is no option '%s'. See %s --help", argv[optind - 1], program);
        }
    }
    if (optind < argc)
        refuse("there is no argument '%s'. See %s --help", argv[optind], program);
    if (options.port + options.ports - 1 > 65535)
        refuse("%d ports from %d on go beyond 65535. Begin lower", options.ports, options.port);
    return options;
}

/* ---- listeners ------------------------------------------------------------------------------------------------ */

static int listen_on(const struct options *options, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_v4 = inet_pton(AF_INET, options->host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, options->host, &v6.sin6_addr) != 1)
        refuse("--host is '%s', not a numeric address", options->host);
    int yes = 1, fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        refuse("cannot make a listening socket: %s. Raise the limit (ulimit -n), or ask for less", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* accepted sockets inherit it */
    if (options->workers > 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    const struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    if (bind(fd, address, is_v4 ? sizeof v4 : sizeof v6) || listen(fd, options->backlog))
        refuse("cannot listen on %s:%d: %s. End what uses it, or give another --port", options->host, port,
               strerror(errno));
    return fd;
}

/* ---- statistics ----------------------------------------------------------------------------------------------- */

/* All workers' slots in one shared map: of the file, or where there is none of memory that nobody reads. A file that
 * is there is cleared and never shortened: a process that has mapped it would be killed in reading beyond its end. */
static struct slot *map_slots(const struct options *options)
{
    size_t size = sizeof(struct slot) * (size_t)options->workers;
    int fd = -1, flags = MAP_SHARED | MAP_ANONYMOUS;
    if (options->stats) {
        flags = MAP_SHARED;
        fd = open(options->stats, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || ftruncate(fd, (off_t)size))
            refuse("cannot write the statistics to %s: %s", options->stats, strerror(errno));
    }
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (map == MAP_FAILED)
        refuse("cannot map the statistics: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    memset(map, 0, size);
    return map;
}

/* ---- processes ------------------------------------------------------------------------------------------------ */

/* Nothing needs tidying: the numbers are in the shared map already, and the kernel closes every socket. */
static void end(int number)
{
    (void)number;
    _exit(0);
}

static void work(const struct server *server, struct slot *own, const int *listeners, int count)
{
    signal(SIGTERM, end);
    slot = own;
    slot->pid = (uint64_t)getpid();
    serve(server, listeners, count);
}

/* Fork the workers, pass SIGTERM on, and reap. A worker that ends unbidden ends them all: half a server misleads. */
static int supervise(const struct server *server, struct slot *slots, int *listeners, const struct options *options)
{
    sigset_t awaited, before;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, &before);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP}, NULL); /* ends only */
    pid_t parent = getpid(), *pids = calloc((size_t)options->workers, sizeof *pids);
    int forked = 0, status = 0;
    for (; pids && forked < options->workers; forked++) {
        pids[forked] = fork();
        if (pids[forked] < 0)
            break;
        if (pids[forked] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(FAILED);
            for (int i = 0; i < options->workers * options->ports; i++)
                if (i / options->ports != forked)
                    close(listeners[i]);
            signal(SIGINT, SIG_IGN); /* a terminal tells the whole group; the parent's word counts */
            sigprocmask(SIG_SETMASK, &before, NULL);
            work(server, &slots[forked], &listeners[forked * options->ports], options->ports);
        }
    }
    /* A listener lives as long as any copy of it, and would go on queueing connections for a worker that is gone. */
    for (int i = 0; i < options->workers * options->ports; i++)
        close(listeners[i]);
    int came = 0;
    if (forked == options->workers)
        sigwait(&awaited, &came);
    if (came != SIGTERM && came != SIGINT) {
        fprintf(stderr, "%s: %s\n", program, came ? "a worker ended unbidden" : "cannot start every worker");
        status = FAILED;
    }
    for (int i = 0; i < forked; i++)
        kill(pids[i], SIGTERM); /* they are our children, not yet reaped, so the pids are theirs */
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    free(pids);
    return status;
}

int run(int argc, char **argv, const struct server *server)
{
    program = server->name;
    struct options options = parse(argc, argv, server);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < MOST_DESCRIPTORS ? limit.rlim_max : MOST_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);

    int count = options.workers * options.ports, *listeners = calloc((size_t)count, sizeof *listeners);
    if (!listeners)
        refuse("no memory for %d listeners", count);
    for (int i = 0; i < count; i++) /* all before the first fork: a port that is taken is found now */
        listeners[i] = listen_on(&options, options.port + i % options.ports);
    struct slot *slots = map_slots(&options);
    fprintf(stderr, "%s listens on %s:%d; Ctrl-C ends it.\n", program, options.host, options.port);
    if (options.workers > 1)
        return supervise(server, slots, listeners, &options);
    signal(SIGINT, end);
    work(server, slots, listeners, count);
    return 0;
}
