/*
 * faults: moves the clock of one program, and makes its fsync slow, while it runs.
 *
 *   LD_PRELOAD=faults.so CHAOS_FAULTS=FILE program
 *
 * FILE holds two numbers of 64 bits: seconds to add to the time of day, and milliseconds to add to each fsync. A test writes
 * them, and they count at once. Time spans (CLOCK_MONOTONIC) aren't touched, as they aren't where an admin sets a clock.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none[2];
static volatile int64_t *faults = none;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("CHAOS_FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *found = file < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);

    if (file >= 0)
        close(file);
    if (found != MAP_FAILED)
        faults = found;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += faults[0];
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec real;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &real);
    now->tv_sec = real.tv_sec;
    now->tv_usec = real.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where)
{
    struct timespec real;

    clock_gettime(CLOCK_REALTIME, &real);
    if (where)
        *where = real.tv_sec;
    return real.tv_sec;
}

static int slowed(const char *name, int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct timespec pause = {faults[1] / 1000, faults[1] % 1000 * 1000000};

    nanosleep(&pause, NULL);
    return real(descriptor);
}

int fsync(int descriptor) { return slowed("fsync", descriptor); }

int fdatasync(int descriptor) { return slowed("fdatasync", descriptor); }
