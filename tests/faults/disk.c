/*
 * A disk that can be watched, broken and slowed down, for tests of a program that does not know it.
 *
 *   cc -shared -fPIC -O2 -o disk.so disk.c -ldl
 *   LD_PRELOAD=./disk.so DISK_FOLDER=/some/folder patron serve --data /some/folder
 *
 * Stands between the program and the C library's file calls, and sees the files in one folder only.
 * Set by environment variables, each of which may be missing:
 *
 *   DISK_FOLDER         the folder, absolute; nothing happens without it (but for the clock)
 *   DISK_LOG            file that every change is appended to, in order; see "The log" below
 *   DISK_PANEL          file of whole numbers that tests read and write meanwhile; see struct panel
 *   DISK_SYNC_DELAY_US  microseconds added to each fsync and fdatasync
 *
 * The log. One text line per change, with its data behind it where there is any. Files are called
 * by inode, because names move:
 *
 *   create INODE NAME        write INODE OFFSET LENGTH, then LENGTH bytes and a newline
 *   truncate INODE SIZE      sync INODE, or failed INODE when the flush failed
 *   rename FROM TO           link FROM TO
 *   unlink NAME
 *   folder                   the names in the folder were made durable
 *
 * A line is written after the change was made and before the program hears of it, under one lock.
 * So what somebody else appends after hearing from the program stands behind all it is built on.
 * With a log nothing is really flushed: what a flush is worth is decided from the log.
 *
 * Names that end in -shm are SQLite's shared memory, no lasting state: they are never logged.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Kinds of calls, as the panel breaks them. */
enum kind { NONE, OPEN, READ, WRITE, SYNC, TRUNCATE, UNLINK, MAP };

/* The panel: 64-bit numbers in the machine's order. Tests write them all. */
struct panel {
    int64_t kind;           /* calls of this kind fail */
    int64_t at;             /* the at-th from now on: 1 is the next one */
    int64_t error;          /* with this errno */
    int64_t lasting;        /* 1: and all later ones too, until kind is set to 0 */
    int64_t failed;         /* calls that failed */
    int64_t clock_shift_us; /* added to the wall clock */
    int64_t sync_delay_us;  /* added to each flush */
    int64_t no_maps;        /* 1: files cannot be mapped, so every read is a call */
};

/* What is known of an open file descriptor. */
enum sort { OUTSIDE, DATA, SHARED_MEMORY, FOLDER };

enum { DESCRIPTORS_MAX = 4096, LINE_MAX_BYTES = 2 * PATH_MAX + 100 };

static struct { enum sort sort; uint64_t inode; } known[DESCRIPTORS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static int log_file = -1;
static struct panel *panel;
static int64_t sync_delay_us;
static int (*real_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
    real_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    folder = getenv("DISK_FOLDER");
    folder_length = folder ? strlen(folder) : 0;
    const char *delay = getenv("DISK_SYNC_DELAY_US");
    sync_delay_us = delay ? atoll(delay) : 0;
    const char *log = getenv("DISK_LOG"), *file = getenv("DISK_PANEL");
    int append = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
    if (log) log_file = syscall(SYS_openat, AT_FDCWD, log, append, 0600);
    if (file) {
        int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
        void *at = (void *)syscall(SYS_mmap, NULL, sizeof *panel, PROT_READ | PROT_WRITE,
                                   MAP_SHARED, fd, 0);
        panel = at == MAP_FAILED ? NULL : at;
        syscall(SYS_close, fd);
    }
    if ((log && log_file < 0) || (file && !panel)) abort();
}

/* The name of a path inside the folder: "" for the folder itself, NULL for what is outside. */
static const char *inside(const char *path) {
    if (!folder || !path || strncmp(path, folder, folder_length) != 0) return NULL;
    path += folder_length;
    return *path == '\0' ? path : *path == '/' ? path + 1 : NULL;
}

static enum sort sort_of_name(const char *name) {
    size_t length = strlen(name);
    if (length == 0) return FOLDER;
    return length > 4 && strcmp(name + length - 4, "-shm") == 0 ? SHARED_MEMORY : DATA;
}

static enum sort sort_of(int fd) {
    return fd >= 0 && fd < DESCRIPTORS_MAX ? known[fd].sort : OUTSIDE;
}

/* Appends to the log in one piece. Called under the lock. */
static void note(const void *data, size_t length, const char *format, ...) {
    if (log_file < 0) return;
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    struct iovec parts[3] = {{line, bytes}, {(void *)data, length}, {"\n", data ? 1 : 0}};
    if (syscall(SYS_writev, log_file, parts, 3) != (ssize_t)(bytes + length + (data ? 1 : 0)))
        abort(); /* without its log a recorded run is worth nothing */
}

/* Counts a call, and sets errno when it is one that fails. Called under the lock. */
static int fails(enum kind kind) {
    if (!panel || panel->kind != kind) return 0;
    panel->at--;
    if (panel->at > 0 || (panel->at < 0 && !panel->lasting)) return 0;
    panel->failed++;
    errno = (int)panel->error;
    return 1;
}

static int disk_open(int at, const char *path, int flags, mode_t mode) {
    const char *name = at == AT_FDCWD || (path && *path == '/') ? inside(path) : NULL;
    if (!name) return syscall(SYS_openat, at, path, flags, mode);
    int fd = -1;
    int is_for_writing = flags & (O_WRONLY | O_RDWR);
    pthread_mutex_lock(&lock);
    /* A read-only file system refuses to open files for writing only. */
    if ((panel && panel->error == EROFS && !is_for_writing) || !fails(OPEN)) {
        int was_there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
        fd = syscall(SYS_openat, at, path, flags, mode);
        struct stat status;
        if (fd >= 0 && fd < DESCRIPTORS_MAX && fstat(fd, &status) == 0) {
            enum sort sort = sort_of_name(name);
            known[fd].sort = S_ISDIR(status.st_mode) ? FOLDER : sort;
            known[fd].inode = status.st_ino;
            if (sort == DATA && !was_there)
                note(NULL, 0, "create %lu %s\n", (unsigned long)status.st_ino, name);
            else if (sort == DATA && (flags & O_TRUNC))
                note(NULL, 0, "truncate %lu 0\n", (unsigned long)status.st_ino);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPENS(NAME, PARAMETERS, AT)                                 \
    int NAME PARAMETERS {                                           \
        va_list more;                                               \
        va_start(more, flags);                                      \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;   \
        va_end(more);                                               \
        return disk_open(AT, path, flags, mode);                    \
    }

OPENS(open, (const char *path, int flags, ...), AT_FDCWD)
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD)
OPENS(openat, (int at, const char *path, int flags, ...), at)
OPENS(openat64, (int at, const char *path, int flags, ...), at)

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS_MAX) known[fd].sort = OUTSIDE;
    return syscall(SYS_close, fd);
}

/* Reads; the offset is negative for "where the descriptor stands". */
static ssize_t disk_read(int fd, void *into, size_t length, off_t offset) {
    enum sort sort = sort_of(fd);
    if (panel && (sort == DATA || sort == SHARED_MEMORY)) {
        pthread_mutex_lock(&lock);
        int failed = fails(READ);
        pthread_mutex_unlock(&lock);
        if (failed) return -1;
    }
    return offset < 0 ? syscall(SYS_read, fd, into, length)
                      : syscall(SYS_pread64, fd, into, length, offset);
}

ssize_t read(int fd, void *into, size_t length) { return disk_read(fd, into, length, -1); }
ssize_t pread(int fd, void *into, size_t length, off_t at) {
    return disk_read(fd, into, length, at);
}
ssize_t pread64(int fd, void *into, size_t length, off64_t at) {
    return disk_read(fd, into, length, at);
}

static ssize_t plain_write(int fd, const void *from, size_t length, off_t offset) {
    return offset < 0 ? syscall(SYS_write, fd, from, length)
                      : syscall(SYS_pwrite64, fd, from, length, offset);
}

static ssize_t disk_write(int fd, const void *from, size_t length, off_t offset) {
    enum sort sort = sort_of(fd);
    if (sort != DATA && sort != SHARED_MEMORY) return plain_write(fd, from, length, offset);
    pthread_mutex_lock(&lock);
    off_t at = offset >= 0 ? offset : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    int failed = fails(WRITE), error = errno;
    /* A write that fails may have written a part before. */
    ssize_t written = plain_write(fd, from, failed ? length / 2 : length, offset);
    if (written > 0 && sort == DATA)
        note(from, written, "write %lu %lld %zd\n", (unsigned long)known[fd].inode,
             (long long)at, written);
    pthread_mutex_unlock(&lock);
    if (!failed) return written;
    errno = error;
    return -1;
}

ssize_t write(int fd, const void *from, size_t length) { return disk_write(fd, from, length, -1); }
ssize_t pwrite(int fd, const void *from, size_t length, off_t at) {
    return disk_write(fd, from, length, at);
}
ssize_t pwrite64(int fd, const void *from, size_t length, off64_t at) {
    return disk_write(fd, from, length, at);
}

static int disk_sync(int fd, long call) {
    enum sort sort = sort_of(fd);
    if (sort == OUTSIDE) return syscall(call, fd);
    int64_t delay = panel && panel->sync_delay_us ? panel->sync_delay_us : sync_delay_us;
    if (delay > 0) {
        struct timespec pause = {delay / 1000000, delay % 1000000 * 1000};
        nanosleep(&pause, NULL);
    }
    pthread_mutex_lock(&lock);
    int failed = fails(SYNC);
    int error = errno;
    unsigned long inode = known[fd].inode;
    if (sort == DATA) note(NULL, 0, failed ? "failed %lu\n" : "sync %lu\n", inode);
    if (!failed && sort == FOLDER) note(NULL, 0, "folder\n");
    pthread_mutex_unlock(&lock);
    if (failed) errno = error;
    return failed ? -1 : log_file >= 0 ? 0 : syscall(call, fd);
}

int fsync(int fd) { return disk_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return disk_sync(fd, SYS_fdatasync); }

static int disk_truncate(int fd, off_t size) {
    enum sort sort = sort_of(fd);
    if (sort != DATA && sort != SHARED_MEMORY) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int outcome = fails(TRUNCATE) ? -1 : syscall(SYS_ftruncate, fd, size);
    if (outcome == 0 && sort == DATA)
        note(NULL, 0, "truncate %lu %lld\n", (unsigned long)known[fd].inode, (long long)size);
    pthread_mutex_unlock(&lock);
    return outcome;
}

int ftruncate(int fd, off_t size) { return disk_truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return disk_truncate(fd, size); }

int unlink(const char *path) {
    const char *name = inside(path);
    if (!name) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    int outcome = fails(UNLINK) ? -1 : syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (outcome == 0 && sort_of_name(name) == DATA) note(NULL, 0, "unlink %s\n", name);
    pthread_mutex_unlock(&lock);
    return outcome;
}

/* Gives a file a new name (rename) or a second one (link). */
static int disk_name(const char *word, long call, const char *from, const char *to, int flags) {
    pthread_mutex_lock(&lock);
    int outcome = syscall(call, AT_FDCWD, from, AT_FDCWD, to, flags);
    if (outcome == 0 && inside(from) && inside(to))
        note(NULL, 0, "%s %s %s\n", word, inside(from), inside(to));
    pthread_mutex_unlock(&lock);
    return outcome;
}

int rename(const char *from, const char *to) {
    return disk_name("rename", SYS_renameat2, from, to, 0);
}
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    if (from_at != AT_FDCWD || to_at != AT_FDCWD)
        return syscall(SYS_linkat, from_at, from, to_at, to, flags);
    return disk_name("link", SYS_linkat, from, to, flags);
}

static void *disk_map(void *at, size_t length, int access, int flags, int fd, off_t offset) {
    enum sort sort = flags & MAP_ANONYMOUS ? OUTSIDE : sort_of(fd);
    if (panel && sort != OUTSIDE) {
        pthread_mutex_lock(&lock);
        int failed = sort == DATA ? panel->no_maps != 0 : fails(MAP);
        if (failed && sort == DATA) errno = ENODEV;
        int error = errno;
        pthread_mutex_unlock(&lock);
        errno = error;
        if (failed) return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, length, access, flags, fd, offset);
}

void *mmap(void *at, size_t length, int access, int flags, int fd, off_t offset) {
    return disk_map(at, length, access, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int access, int flags, int fd, off64_t offset) {
    return disk_map(at, length, access, flags, fd, offset);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int outcome = real_clock ? real_clock(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
    if (outcome == 0 && panel && panel->clock_shift_us && clock == CLOCK_REALTIME) {
        int64_t shift = panel->clock_shift_us, ns = now->tv_nsec + shift % 1000000 * 1000;
        now->tv_sec += shift / 1000000 + (ns < 0 ? -1 : ns / 1000000000);
        now->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    }
    return outcome;
}
