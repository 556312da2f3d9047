/* Directories: makes a tree, walks it by readdir, nftw, scandir and glob, changes it, and removes it again.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static void put(const char *name, const char *text, mode_t mode) {
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
    verdict(name, 0);
}

static void build(void) {
  umask(022);
  mkdir("tree", 0755);
  mkdir("tree/empty", 0700);
  mkdir("tree/a", 0755);
  mkdir("tree/a/b", 0755);
  mkdir("tree/a/b/c", 0755);
  put("tree/a/b/c/deep.txt", "deep\n", 0644);
  put("tree/run.sh", "#!/bin/sh\n", 0755);
  put("tree/secret", "", 0600);
  verdict("symlink", symlink("a/b/c/deep.txt", "tree/link") == 0 && symlink("nowhere", "tree/dangling") == 0);
  verdict("link", link("tree/secret", "tree/a/second name") == 0);
  verdict("mkfifo", mkfifo("tree/fifo", 0640) == 0);
  mkdir("tree/many", 0755);
  for (int i = 0; i < 700; i++) {
    char name[64];
    snprintf(name, sizeof name, "tree/many/a-rather-long-file-name-number-%04d", i);
    put(name, "", 0644);
  }
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}
static int not_dots(const struct dirent *d) { return d->d_name[0] != '.'; }

static void list(const char *dir) {
  struct dirent **names;
  int n = scandir(dir, &names, NULL, by_name);
  printf("%s: %d entries\n", dir, n);
  for (int i = 0; i < n; i++) {
    char path[PATH_MAX], target[PATH_MAX] = "";
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
    if (lstat(path, &st))
      verdict(path, 0);
    ssize_t len = readlink(path, target, sizeof target - 1);
    printf("  %-12s type %2d mode %06o links %d size %lld %s%s ino %s\n", names[i]->d_name, names[i]->d_type,
           st.st_mode, S_ISDIR(st.st_mode) ? 0 : (int)st.st_nlink,
           S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size, len > 0 ? "-> " : "", target,
           st.st_ino == names[i]->d_ino || !strcmp(names[i]->d_name, "..") ? "agrees" : "differs");
    free(names[i]);
  }
  free(names);
}

static int visited, depth_sum;
static uint64_t walk_sum;

static int visit(const char *path, const struct stat *st, int type, struct FTW *f) {
  visited++;
  depth_sum += f->level;
  /* The order is the file system's, so the sum must not depend on it. */
  walk_sum += checksum(checksum(CHECKSUM_START, path, strlen(path)),
                       &(int){type + (int)(st->st_mode & 07777)}, sizeof(int));
  return 0;
}

static int erase(const char *path, const struct stat *st, int type, struct FTW *f) {
  (void)st, (void)type, (void)f;
  return remove(path);
}

static void reading(void) {
  DIR *d = opendir("tree/many");
  int n = 0, again = 0;
  long middle = 0;
  char name_there[256] = "";
  for (struct dirent *e; (e = readdir(d)); n++) {
    if (n == 350)
      strcpy(name_there, e->d_name);
    if (n == 349)
      middle = telldir(d);
  }
  printf("readdir %d entries\n", n);
  seekdir(d, middle);
  struct dirent *e = readdir(d);
  (void)middle;
  verdict("seekdir goes back", e != NULL);
  rewinddir(d);
  while (readdir(d))
    again++;
  printf("after rewinddir %d\n", again);
  verdict("dirfd and fstatat",
          !fstatat(dirfd(d), "a-rather-long-file-name-number-0001", &(struct stat){0}, 0));
  closedir(d);
  verdict("opendir of a file is ENOTDIR", !opendir("tree/run.sh") && errno == ENOTDIR);
  verdict("opendir of nothing is ENOENT", !opendir("tree/none") && errno == ENOENT);
  struct dirent **names;
  printf("scandir with a filter %d\n", scandir("tree", &names, not_dots, alphasort));
}

static void changing(void) {
  char cwd[PATH_MAX], first[PATH_MAX];
  getcwd(first, sizeof first);
  verdict("chdir",
          chdir("tree/a/b") == 0 && getcwd(cwd, sizeof cwd) && !strcmp(cwd + strlen(first), "/tree/a/b"));
  verdict("relative up", access("../../secret", R_OK) == 0);
  int fd = open(first, O_RDONLY | O_DIRECTORY);
  verdict("fchdir", fchdir(fd) == 0 && getcwd(cwd, sizeof cwd) && !strcmp(cwd, first));
  close(fd);
  verdict("rename of a directory",
          rename("tree/a/b", "tree/moved") == 0 && access("tree/moved/c/deep.txt", F_OK) == 0);
  verdict("rename over a full one is ENOTEMPTY",
          rename("tree/empty", "tree/many") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
  verdict("rmdir of a full one is ENOTEMPTY", rmdir("tree/moved") == -1 && errno == ENOTEMPTY);
  verdict("unlink of a directory is EISDIR", unlink("tree/empty") == -1 && errno == EISDIR);
  verdict("rmdir", rmdir("tree/empty") == 0 && access("tree/empty", F_OK) == -1 && errno == ENOENT);
  verdict("mkdir again is EEXIST", mkdir("tree/a", 0755) == -1 && errno == EEXIST);
  verdict("getcwd too small is ERANGE", !getcwd(cwd, 2) && errno == ERANGE);
  int dir = open("tree", O_RDONLY | O_DIRECTORY);
  verdict("openat family", mkdirat(dir, "at", 0755) == 0 && !faccessat(dir, "at", F_OK, 0) &&
                               symlinkat("x", dir, "at/sym") == 0 &&
                               linkat(dir, "run.sh", dir, "at/run", 0) == 0 &&
                               renameat(dir, "at/run", dir, "at/run2") == 0 &&
                               fchmodat(dir, "at/run2", 0711, 0) == 0 && unlinkat(dir, "at/run2", 0) == 0 &&
                               unlinkat(dir, "at/sym", 0) == 0 && unlinkat(dir, "at", AT_REMOVEDIR) == 0);
  close(dir);
  char resolved[PATH_MAX];
  verdict("realpath", realpath("tree/./a/../moved/c/../c/deep.txt", resolved) &&
                          !strcmp(resolved + strlen(first), "/tree/moved/c/deep.txt"));
  symlink("loop2", "tree/loop1");
  symlink("loop1", "tree/loop2");
  verdict("a circle of links is ELOOP", open("tree/loop1", O_RDONLY) == -1 && errno == ELOOP);
}

int main(void) {
  build();
  list("tree");
  list("tree/a");
  nftw("tree", visit, 16, FTW_PHYS);
  printf("nftw visited %d, depths %d, sum %016llx\n", visited, depth_sum, (unsigned long long)walk_sum);
  reading();
  glob_t g;
  if (!glob("tree/many/*-00[0-2]?", 0, NULL, &g))
    printf("glob %zu, first %s, last %s\n", g.gl_pathc, g.gl_pathv[0], g.gl_pathv[g.gl_pathc - 1]);
  globfree(&g);
  changing();
  list("tree");
  verdict("removed again", nftw("tree", erase, 16, FTW_PHYS | FTW_DEPTH) == 0 && access("tree", F_OK) == -1);
  return 0;
}
