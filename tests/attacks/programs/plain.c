// Calls that anybody may make, in their less usual forms.
#include "attack.h"

static struct sockaddr_in to;

static void *in_a_thread_of_its_own(void *x) {
    must(unshare(CLONE_FILES));
    reach(SOCK_STREAM, 0);
    return x;
}

int main(int argc, char **argv) {
    begin(argc, argv);
    to = in4(bad);
    struct sockaddr_in allowed = in4(good);
    size_t length = strlen(token);
    if (is("tcp")) reach(SOCK_STREAM, 0);
    else if (is("udp")) reach(SOCK_DGRAM, 0);
    else if (is("mptcp")) reach(SOCK_STREAM, 262);
    else if (is("fastopen")) {
        int fd = must(socket(AF_INET, SOCK_STREAM, 0));
        must(sendto(fd, token, length, MSG_FASTOPEN, SA(&to), sizeof to));
    } else if (is("fastopen-connect")) {
        int fd = must(socket(AF_INET, SOCK_STREAM, 0)), on = 1;
        must(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on));
        must(connect(fd, SA(&to), sizeof to));
        write_token(fd);
    } else if (is("unspec")) {
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
        to.sin_family = AF_UNSPEC;
        must(sendto(fd, token, length, 0, SA(&to), sizeof to));
    } else if (is("mapped")) {
        struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(bad)};
        inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.sin6_addr);
        int fd = must(socket(AF_INET6, SOCK_STREAM, 0));
        must(connect(fd, SA(&a), sizeof a));
        write_token(fd);
    } else if (is("readdressed")) {
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
        must(connect(fd, SA(&allowed), sizeof allowed));
        must(send(fd, "first", 5, 0));
        must(sendto(fd, token, length, 0, SA(&to), sizeof to));
    } else if (is("sendmmsg")) {
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
        must(connect(fd, SA(&allowed), sizeof allowed));
        struct iovec v = {(void *)token, length};
        struct mmsghdr m[3] = {
            {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}},
            {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &v, .msg_iovlen = 1}},
            {.msg_hdr = {.msg_name = &allowed, .msg_namelen = sizeof allowed, .msg_iov = &v, .msg_iovlen = 1}},
        };
        must(sendmmsg(fd, m, 3, 0));
    } else if (is("closed-descriptors")) {
        close_range(3, ~0u, 0);
        reach(SOCK_STREAM, 0);
    } else if (is("undumpable")) {
        must(prctl(PR_SET_DUMPABLE, 0));
        reach(SOCK_STREAM, 0);
    } else if (is("setuid")) {
        must(setresgid(65534, 65534, 65534));
        must(setresuid(65534, 65534, 65534));
        reach(SOCK_STREAM, 0);
    } else if (is("chroot")) {
        must(chroot("."));
        must(chdir("/"));
        reach(SOCK_STREAM, 0);
    } else if (is("user-namespace")) {
        must(unshare(CLONE_NEWUSER));
        reach(SOCK_STREAM, 0);
    } else if (is("net-namespace")) {
        // A socket stays in the namespace that it was made in.
        int fd = must(socket(AF_INET, SOCK_STREAM, 0));
        must(unshare(CLONE_NEWUSER | CLONE_NEWNET));
        must(connect(fd, SA(&to), sizeof to));
        write_token(fd);
    } else if (is("own-table")) {
        pthread_t thread;
        pthread_create(&thread, NULL, in_a_thread_of_its_own, NULL);
        pthread_join(thread, NULL);
    } else if (is("listen")) {
        int fd = must(socket(AF_INET, SOCK_STREAM, 0));
        struct sockaddr_in a = in4(0);
        socklen_t size = sizeof a;
        must(bind(fd, SA(&a), sizeof a));
        must(listen(fd, 1));
        must(getsockname(fd, SA(&a), &size));
        FILE *file = fopen("port.new", "w");
        fprintf(file, "%d\n", ntohs(a.sin_port));
        fclose(file);
        rename("port.new", "port");
        write_token(must(accept(fd, NULL, NULL)));
    } else return 2;
    return 0;
}
