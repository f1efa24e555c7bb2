// Preloaded into a receiver's process. Stands between LMDB and the disk, steered by files in $FLUSH_GATE:
//   hold     while it is there, fdatasync waits; each wait that begins adds a byte to `entered`, each flush done one to `flushed`
//   full     while it is there, writes to data.mdb fail with ENOSPC
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static void gate_path(char *path, const char *name) {
  const char *folder = getenv("FLUSH_GATE");
  snprintf(path, PATH_MAX, "%s/%s", folder ? folder : "/nonexistent", name);
}

static int is_set(const char *name) {
  char path[PATH_MAX];
  gate_path(path, name);
  return access(path, F_OK) == 0;
}

static void mark(const char *name) {
  char path[PATH_MAX];
  gate_path(path, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0) return;
  if (write(fd, "x", 1) != 1) abort();
  close(fd);
}

static int is_store(int fd) {
  char link[64], target[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = 0;
  return strstr(target, "/data.mdb") != NULL;
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  if (!is_store(fd)) return real(fd);
  if (is_set("hold")) {
    mark("entered");
    while (is_set("hold")) usleep(2000);
  }
  int result = real(fd);
  mark("flushed");
  return result;
}

static int refused(int fd) {
  if (!is_set("full") || !is_store(fd)) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
  return refused(fd) ? -1 : real(fd, data, count, offset);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwrite");
  return refused(fd) ? -1 : real(fd, data, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  static ssize_t (*real)(int, const struct iovec *, int, off_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwritev");
  return refused(fd) ? -1 : real(fd, parts, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (!real) real = dlsym(RTLD_NEXT, "writev");
  return refused(fd) ? -1 : real(fd, parts, count);
}
