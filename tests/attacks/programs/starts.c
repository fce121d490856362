// Starting another program so that nothing of ours would come along.
#include "attack.h"

extern char **environ;

int main(int argc, char **argv) {
    begin(argc, argv);
    char *arguments[] = {(char *)other, "tcp", argv[2], argv[3], argv[4], argv[5], argv[6], "-", NULL};
    char *nothing[] = {NULL};
    if (is("raw-exec")) syscall(SYS_execve, other, arguments, nothing);
    else if (is("unset")) { unsetenv("LD_PRELOAD"); execv(other, arguments); }
    else if (is("cleared")) { clearenv(); execv(other, arguments); }
    else if (is("memory")) {
        int from = must(open(other, O_RDONLY)), to = must(memfd_create("program", 0));
        char bytes[65536];
        for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;) must(write(to, bytes, n));
        fexecve(to, arguments, environ);
    } else if (is("outlives")) {
        // The command has ended by the time that its grandchild connects.
        if (fork() == 0) {
            setsid();
            if (fork() == 0) { usleep(700000); execv(other, arguments); }
        }
        return 0;
    }
    else if (is("nested")) {
        char *nested[] = {argv[8], "run", "--guard=off", "--prompt=none", "--default=allow", "--", (char *)other, "tcp", argv[2], argv[3], argv[4], argv[5], argv[6], "-", NULL};
        // It refuses to start where it sees that it is inside.
        unsetenv("HALLPASS");
        unsetenv("LD_PRELOAD");
        execv(argv[8], nested);
    }
    fail();
}
