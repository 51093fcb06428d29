/*
 * slow_fsync: makes each fsync and fdatasync of one program take longer, to measure as on a slow disk.
 *
 *   LD_PRELOAD=slow_fsync.so SLOW_FSYNC_MS=5 program
 *
 * Only adds time: the data is still written to the disk. Preloaded by bench/stack.py into our filter, and into nothing else.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_a_bit(void)
{
    const char *text = getenv("SLOW_FSYNC_MS");
    long microseconds = text ? (long)(atof(text) * 1000) : 0;
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};

    nanosleep(&pause, NULL);
}

int fsync(int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    wait_a_bit();
    return real(descriptor);
}

int fdatasync(int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    wait_a_bit();
    return real(descriptor);
}
