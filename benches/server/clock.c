/* Under valgrind the clock runs too fast for what is executed: this slows it down, so that the scheduler decides as it does elsewhere.
   cc -O2 -shared -fPIC -o clock.so clock.c; LD_PRELOAD=clock.so valgrind ... */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t) {
    static long long base = 0;
    long result = syscall(SYS_clock_gettime, clock, t);
    if (result != 0 || clock != CLOCK_MONOTONIC)
        return result;
    long long now = t->tv_sec * 1000000000LL + t->tv_nsec;
    if (base == 0)
        base = now;
    now = base + (now - base) / 60;
    t->tv_sec = now / 1000000000LL;
    t->tv_nsec = now % 1000000000LL;
    return 0;
}
