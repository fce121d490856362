// What the programs share. Each is called
//   PROGRAM WAY BAD-PORT GOOD-PORT TOKEN TRIES OLDER-PID OTHER-PROGRAM HALLPASS WIRE-VERSION
// and tries to get TOKEN to 127.0.0.1:BAD-PORT, which nobody has allowed; GOOD-PORT is allowed.
// It says `failed: ERRNO` where it meets an error; whether the token came is the listener's word.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *way, *token, *other;
static int bad, good, tries, older;

static void begin(int argc, char **argv) {
    if (argc < 8) exit(2);
    way = argv[1]; bad = atoi(argv[2]); good = atoi(argv[3]); token = argv[4];
    tries = atoi(argv[5]); older = atoi(argv[6]); other = argv[7];
}
static int is(const char *name) { return !strcmp(way, name); }

// Ends with the errno of what failed.
static void fail(void) {
    printf("failed: %s\n", strerrorname_np(errno));
    fflush(stdout);
    _exit(1);
}
static long must(long result) { if (result < 0) fail(); return result; }

static struct sockaddr_in in4(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}
#define SA(a) ((struct sockaddr *)(a))

// Writes the token to a connected socket.
static void write_token(int fd) { must(write(fd, token, strlen(token))); }

// Connects, by the library's connect, and writes the token.
static void reach(int kind, int protocol) {
    struct sockaddr_in a = in4(bad);
    int fd = must(socket(AF_INET, kind, protocol));
    must(connect(fd, SA(&a), sizeof a));
    write_token(fd);
    close(fd);
}

// The session's process: HALLPASS=PID-8hex;…
static int session(void) {
    const char *named = getenv("HALLPASS");
    return named ? atoi(named) : 0;
}
