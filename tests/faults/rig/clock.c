/* Loaded into a test's processes with LD_PRELOAD: shifts the wall clock of a worker and of no other.

   A worker is who has a PIXELMILL_NODE; its shift, in seconds, is read at its start from the file
   that bears its place's name (cpu0, io) in the folder PIXELMILL_CLOCKS. Clocks that only measure
   how long something took stay as they are, as they do when an operator sets a machine's time. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift;

__attribute__((constructor)) static void read_shift(void) {
    const char *node = getenv("PIXELMILL_NODE"), *folder = getenv("PIXELMILL_CLOCKS");
    char path[4096];
    if (node == NULL || folder == NULL) return;
    const char *place = strrchr(node, '/');
    snprintf(path, sizeof path, "%s/%s", folder, place ? place + 1 : node);
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    if (fscanf(file, "%ld", &shift) != 1) shift = 0;
    fclose(file);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += shift;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now != NULL) *now = precise.tv_sec;
    return precise.tv_sec;
}
