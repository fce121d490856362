// Filters and tracers of the program's own.
#include "attack.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static struct sockaddr_in to;

// A filter that does `action` with one call, and lets all others through.
static int filter(long number, unsigned action, unsigned flags) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {sizeof program / sizeof *program, program};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    return must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all));
}
// Lets every call go on that the listener tells of.
static void *wave_through(void *listener) {
    for (;;) {
        struct seccomp_notif it = {0};
        if (ioctl((int)(long)listener, SECCOMP_IOCTL_NOTIF_RECV, &it) < 0) return NULL;
        struct seccomp_notif_resp answer = {.id = it.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl((int)(long)listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}
#ifdef __x86_64__
// A child makes a call that nobody minds, and its tracer turns it into connect.
static void turned(int by_filter) {
    int fd = must(socket(AF_INET, SOCK_STREAM, 0));
    int child = fork();
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        if (by_filter) filter(SYS_getppid, SECCOMP_RET_TRACE, 0);
        int result = syscall(SYS_getppid);
        if (result < 0) fail();
        write_token(fd);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    must(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL));
    for (int entering = 1;; ) {
        must(ptrace(by_filter ? PTRACE_CONT : PTRACE_SYSCALL, child, 0, 0));
        must(waitpid(child, &status, 0));
        if (WIFEXITED(status) || WIFSIGNALED(status)) return;
        int at_filter = status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
        int at_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
        if (!(at_filter || (at_call && entering))) { entering |= at_call; continue; }
        struct user_regs_struct registers;
        must(ptrace(PTRACE_GETREGS, child, 0, &registers));
        if (at_call) entering = 0;
        if (registers.orig_rax != SYS_getppid) continue;
        registers.orig_rax = SYS_connect;
        registers.rdi = fd; registers.rsi = (long)&to; registers.rdx = sizeof to;
        must(ptrace(PTRACE_SETREGS, child, 0, &registers));
    }
}
#endif

int main(int argc, char **argv) {
    begin(argc, argv);
    to = in4(bad);
    if (is("allow")) { filter(SYS_connect, SECCOMP_RET_ALLOW, 0); reach(SOCK_STREAM, 0); }
    else if (is("listener")) {
        long listener = filter(SYS_connect, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        pthread_t thread;
        pthread_create(&thread, NULL, wave_through, (void *)listener);
        reach(SOCK_STREAM, 0);
    }
#ifdef __x86_64__
    else if (is("turned")) turned(0);
    else if (is("turned-by-filter")) turned(1);
#endif
    else return 2;
    return 0;
}
