// A disk that loses what was not synchronized, preloaded into a server (LD_PRELOAD) for tests.
//
// `kill -9` leaves the page cache, so that even what was never synchronized is there afterwards. With this library SIGUSR1 is a loss of
// power instead: of the files below LOSSY_DISK_DIRECTORY (an absolute path without symbolic links) whatever was not synchronized is undone,
// wholly or in part, and the process ends at once.
//
// Before each write the bytes that it replaces and the file's size are noted, until a synchronization that began after the write
// has succeeded. Names that were made, linked or renamed are noted until their directory is synchronized. At the loss a file either falls back
// to what was synchronized, or keeps some of the later writes and not others, in any mix; of the names the oldest changes are kept, as a
// journal would, and the newest undone. LOSSY_DISK_SEED decides.
//
// With LOSSY_DISK_LIES nothing is ever synchronized: a disk that acknowledges and forgets, to see that a test would notice.
//
// Writes to files opened with O_DSYNC or O_SYNC are durable when they return. Removed names stay removed, new directories stay, memory
// maps are not seen: none of those makes a loss smaller than a real one for the files of this server.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX / 2];
static size_t root_length;
static uint64_t random_state;
static bool lies;
static uint64_t clock_now = 1;

// What a write, or a change of the size, has replaced.
struct change {
    struct change *older;
    uint64_t time;
    off_t offset, size_before;
    // Of the change, and of the bytes that were there before.
    size_t length, count;
    char bytes[];
};

struct file {
    struct file *next;
    dev_t device;
    ino_t number;
    int descriptor;
    struct change *newest;
};

struct name {
    struct name *older;
    // Where the name came from by a rename; else empty.
    char source[PATH_MAX], path[PATH_MAX], directory[PATH_MAX], replaced[PATH_MAX];
};

static struct file *files;
static struct name *names;

#define REAL(type, function, ...)                                                     \
    static type (*real)(__VA_ARGS__);                                                 \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #function)

static int real_open(const char *path, int flags, mode_t mode) {
    REAL(int, open, const char *, int, ...);
    return real(path, flags, mode);
}
static int real_rename(const char *source, const char *target) {
    REAL(int, rename, const char *, const char *);
    return real(source, target);
}
static int real_link(const char *source, const char *target) {
    REAL(int, link, const char *, const char *);
    return real(source, target);
}
static ssize_t real_pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return real(descriptor, bytes, count, offset);
}
static int real_ftruncate(int descriptor, off_t size) {
    REAL(int, ftruncate, int, off_t);
    return real(descriptor, size);
}

static uint64_t draw(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

static bool is_below_root(const char *path) {
    return root_length && strncmp(path, root, root_length) == 0 && path[root_length] == '/';
}

static bool path_of(int descriptor, char path[PATH_MAX]) {
    char link_name[64];
    snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", descriptor);
    ssize_t count = readlink(link_name, path, PATH_MAX - 1);
    if (count < 0) return false;
    path[count] = 0;
    return true;
}

static bool is_synchronous(int descriptor) { return !lies && fcntl(descriptor, F_GETFL) & O_DSYNC; }

static void *allocate(size_t count) {
    void *memory = calloc(1, count);
    if (!memory) abort();
    return memory;
}

static struct file *find(const struct stat *status) {
    struct file *file = files;
    while (file && (file->device != status->st_dev || file->number != status->st_ino)) file = file->next;
    return file;
}

// The file behind a descriptor if what is written there can be lost; NULL if not. `lock` is held.
static struct file *losable(int descriptor, struct stat *status) {
    if (!root_length || fstat(descriptor, status) < 0 || !S_ISREG(status->st_mode)) return NULL;
    if (is_synchronous(descriptor)) return NULL;
    struct file *file = find(status);
    if (file) return file;
    char path[PATH_MAX];
    if (!path_of(descriptor, path) || !is_below_root(path)) return NULL;
    char link_name[64];
    snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", descriptor);
    int own = real_open(link_name, O_RDWR | O_CLOEXEC, 0);
    if (own < 0) return NULL;
    file = allocate(sizeof *file);
    *file = (struct file){files, status->st_dev, status->st_ino, own, NULL};
    return files = file;
}

// Notes what the range has now. `lock` is held, until the range has changed.
static void note(int descriptor, off_t offset, size_t count) {
    struct stat status;
    struct file *file = losable(descriptor, &status);
    if (!file) return;
    size_t kept = offset >= status.st_size ? 0 : count;
    if (kept > (size_t)(status.st_size - offset)) kept = (size_t)(status.st_size - offset);
    struct change *change = allocate(sizeof *change + kept);
    change->time = clock_now++;
    change->offset = offset;
    change->length = count;
    change->size_before = status.st_size;
    ssize_t got = kept ? pread(file->descriptor, change->bytes, kept, offset) : 0;
    change->count = got > 0 ? (size_t)got : 0;
    change->older = file->newest;
    file->newest = change;
}

static void note_name(const char *source, const char *path, const char *replaced) {
    struct name *name = allocate(sizeof *name);
    snprintf(name->source, PATH_MAX, "%s", source);
    snprintf(name->path, PATH_MAX, "%s", path);
    snprintf(name->replaced, PATH_MAX, "%s", replaced);
    snprintf(name->directory, PATH_MAX, "%s", path);
    *strrchr(name->directory, '/') = 0;
    name->older = names;
    names = name;
}

static void free_older(struct change **place, uint64_t time) {
    while (*place && (*place)->time >= time) place = &(*place)->older;
    struct change *change = *place;
    *place = NULL;
    while (change) {
        struct change *older = change->older;
        free(change);
        change = older;
    }
}

// A synchronization that began at `time` has succeeded.
static void synchronized(int descriptor, uint64_t time) {
    struct stat status;
    if (!root_length || lies || fstat(descriptor, &status) < 0) return;
    if (S_ISREG(status.st_mode)) {
        struct file **place = &files;
        while (*place && ((*place)->device != status.st_dev || (*place)->number != status.st_ino)) place = &(*place)->next;
        if (!*place) return;
        free_older(&(*place)->newest, time);
        if ((*place)->newest) return;
        struct file *file = *place;
        *place = file->next;
        close(file->descriptor);
        free(file);
    } else if (S_ISDIR(status.st_mode)) {
        char path[PATH_MAX];
        if (!path_of(descriptor, path)) return;
        for (struct name **place = &names; *place;) {
            struct name *name = *place;
            if (strcmp(name->directory, path) != 0) {
                place = &name->older;
                continue;
            }
            if (name->replaced[0]) unlink(name->replaced);
            *place = name->older;
            free(name);
        }
    }
}

// MARK: The loss

static void lose_names(void) {
    uint64_t count = 0;
    for (struct name *name = names; name; name = name->older) count++;
    uint64_t undone = count ? draw() % (count + 1) : 0;
    for (struct name *name = names; name && undone; name = name->older, undone--) {
        if (!name->source[0]) {
            unlink(name->path);
            continue;
        }
        real_rename(name->path, name->source);
        if (name->replaced[0]) real_rename(name->replaced, name->path);
    }
}

// Undoes a change: the old bytes, and zeros where there was no file yet.
static void undo(struct file *file, const struct change *change) {
    static const char zeros[4096];
    struct stat status;
    real_pwrite(file->descriptor, change->bytes, change->count, change->offset);
    if (fstat(file->descriptor, &status) < 0) return;
    off_t place = change->offset + (off_t)change->count, end = change->offset + (off_t)change->length;
    if (end > status.st_size) end = status.st_size;
    while (place < end) {
        size_t count = end - place < (off_t)sizeof zeros ? (size_t)(end - place) : sizeof zeros;
        ssize_t done = real_pwrite(file->descriptor, zeros, count, place);
        if (done <= 0) return;
        place += done;
    }
}

static uint64_t lose_data(void) {
    uint64_t lost = 0;
    for (struct file *file = files; file; file = file->next) {
        bool loses_all = draw() % 2;
        off_t size = -1;
        for (struct change *change = file->newest; change; change = change->older) {
            size = change->size_before;
            if (!loses_all && draw() % 2) continue;
            undo(file, change);
            lost++;
        }
        if (loses_all && size >= 0 && real_ftruncate(file->descriptor, size) < 0) abort();
    }
    return lost;
}

static sem_t loss;

static void on_signal(int number) {
    (void)number;
    sem_post(&loss);
}

// The handler runs on whatever thread is there, which may hold the lock: the work is done here.
static void *wait_for_loss(void *unused) {
    while (sem_wait(&loss) != 0) {}
    // Nothing is written, synchronized or acknowledged by a synchronization any more.
    pthread_mutex_lock(&lock);
    lose_names();
    uint64_t lost = lose_data();
    dprintf(STDERR_FILENO, "lossy-disk: power lost, %llu unsynchronized writes undone\n", (unsigned long long)lost);
    kill(getpid(), SIGKILL);
    return unused;
}

__attribute__((constructor)) static void prepare(void) {
    const char *directory = getenv("LOSSY_DISK_DIRECTORY"), *seed = getenv("LOSSY_DISK_SEED");
    if (!directory || directory[0] != '/' || strlen(directory) >= sizeof root) return;
    lies = getenv("LOSSY_DISK_LIES");
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    pthread_t thread;
    if (sem_init(&loss, 0, 0) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) abort();
    if (pthread_create(&thread, NULL, wait_for_loss, NULL) != 0) abort();
    pthread_mutex_lock(&lock);
    strcpy(root, directory);
    root_length = strlen(root);
    pthread_mutex_unlock(&lock);
}

// MARK: What is interposed

static int open_noting(const char *path, int flags, mode_t mode) {
    pthread_mutex_lock(&lock);
    bool changes = is_below_root(path) && flags & (O_CREAT | O_TRUNC);
    struct stat status;
    bool is_new = changes && lstat(path, &status) < 0 && errno == ENOENT;
    if (changes && !is_new && flags & O_TRUNC) {
        int old = real_open(path, O_RDWR | O_CLOEXEC, 0);
        if (old >= 0) {
            note(old, 0, (size_t)status.st_size);
            close(old);
        }
    }
    int descriptor = real_open(path, flags, mode);
    int error = errno;
    if (descriptor >= 0 && is_new) note_name("", path, "");
    pthread_mutex_unlock(&lock);
    errno = error;
    return descriptor;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_noting(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_noting(path, flags | O_LARGEFILE, mode);
}

// A call that changes a range of a file, or its size: noted before, under the lock.
#define NOTING(descriptor, offset, count, call)                                       \
    do {                                                                              \
        pthread_mutex_lock(&lock);                                                    \
        note(descriptor, offset, count);                                              \
        __typeof__(call) result = call;                                               \
        int error = errno;                                                            \
        pthread_mutex_unlock(&lock);                                                  \
        errno = error;                                                                \
        return result;                                                                \
    } while (0)

// Sockets, pipes and the log: not a matter for the lock, they may block.
static bool is_file(int descriptor) {
    struct stat status;
    return root_length && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

// Where `write` writes.
static off_t position(int descriptor) {
    struct stat status;
    if (fcntl(descriptor, F_GETFL) & O_APPEND) return fstat(descriptor, &status) < 0 ? 0 : status.st_size;
    return lseek(descriptor, 0, SEEK_CUR);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!is_file(descriptor) || is_synchronous(descriptor)) return real(descriptor, bytes, count);
    NOTING(descriptor, position(descriptor), count, real(descriptor, bytes, count));
}

ssize_t writev(int descriptor, const struct iovec *vectors, int vector_count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (!is_file(descriptor) || is_synchronous(descriptor)) return real(descriptor, vectors, vector_count);
    size_t count = 0;
    for (int index = 0; index < vector_count; index++) count += vectors[index].iov_len;
    NOTING(descriptor, position(descriptor), count, real(descriptor, vectors, vector_count));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    if (is_synchronous(descriptor)) return real_pwrite(descriptor, bytes, count, offset);
    NOTING(descriptor, offset, count, real_pwrite(descriptor, bytes, count, offset));
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t offset) { return pwrite(descriptor, bytes, count, offset); }

int ftruncate(int descriptor, off_t size) {
    struct stat status;
    size_t cut = fstat(descriptor, &status) == 0 && status.st_size > size ? (size_t)(status.st_size - size) : 0;
    NOTING(descriptor, size, cut, real_ftruncate(descriptor, size));
}
int ftruncate64(int descriptor, off_t size) { return ftruncate(descriptor, size); }

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    REAL(int, fallocate, int, int, off_t, off_t);
    // Room does not change bytes; a hole does.
    size_t count = mode & FALLOC_FL_PUNCH_HOLE ? (size_t)length : 0;
    NOTING(descriptor, offset, count, real(descriptor, mode, offset, length));
}
int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return fallocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

static int synchronize(int descriptor, int (*real)(int)) {
    pthread_mutex_lock(&lock);
    uint64_t time = clock_now;
    pthread_mutex_unlock(&lock);
    if (real(descriptor) < 0) return -1;
    pthread_mutex_lock(&lock);
    synchronized(descriptor, time);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int descriptor) {
    REAL(int, fsync, int);
    return synchronize(descriptor, real);
}
int fdatasync(int descriptor) {
    REAL(int, fdatasync, int);
    return synchronize(descriptor, real);
}

int rename(const char *source, const char *target) {
    if (!is_below_root(target)) return real_rename(source, target);
    static uint64_t count;
    struct stat status;
    char replaced[PATH_MAX] = "";
    pthread_mutex_lock(&lock);
    if (lstat(target, &status) == 0 && S_ISREG(status.st_mode)) {
        snprintf(replaced, sizeof replaced, "%s.replaced-%d-%llu", root, (int)getpid(), (unsigned long long)count++);
        if (real_link(target, replaced) < 0) replaced[0] = 0;
    }
    int result = real_rename(source, target), error = errno;
    if (result == 0) note_name(source, target, replaced);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int link(const char *source, const char *target) {
    pthread_mutex_lock(&lock);
    int result = real_link(source, target), error = errno;
    if (result == 0 && is_below_root(target)) note_name("", target, "");
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
