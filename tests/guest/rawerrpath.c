/* What calls with paths refuse. */
#define _GNU_SOURCE
#include "rawerr.h"

static const struct row rows[] = {
    ROW(open, "sbb", {S("file"), O_RDWR, 0600}),
    ROW(open, "s", {S("none"), O_CREAT | O_EXCL | O_RDWR, 0600}),
    ROW(open, "s", {S("none"), O_CREAT | O_WRONLY | O_TRUNC, 0600}),
    ROW(open, "s", {S("dir"), O_DIRECTORY}),
    ROW(open, "s", {S("dir"), O_DIRECTORY | O_CREAT, 0600}),
    ROW(open, "s", {S("file"), O_PATH | O_NOFOLLOW}),
    ROW(open, "s", {S("file"), O_NOFOLLOW}),
    ROW(open, "s", {S("file"), O_ACCMODE}),
    ROW(creat, "sb", {S("none"), 0600}),
    ROW(openat, "fs", {AT_FDCWD, S("file"), O_RDONLY}),
    ROW(openat2, "fspz", {AT_FDCWD, S("file"), AT_PAGE, 24}),
    ROW(access, "sd", {S("file"), R_OK}),
    ROW(faccessat, "fsd", {AT_FDCWD, S("file"), R_OK}),
    ROW(faccessat2, "fsdb", {AT_FDCWD, S("file"), R_OK, 0}),
    ROW(faccessat2, "fs", {FD_BOTH, S(""), R_OK, AT_EMPTY_PATH}),
    ROW(stat, "sp", {S("file"), AT_PAGE}),
    ROW(lstat, "sp", {S("file"), AT_PAGE}),
    ROW(statx, "fsbbp", {AT_FDCWD, S("file"), 0, 0x7ff, AT_PAGE}),
    ROW(statx, "fs", {FD_BOTH, S(""), AT_EMPTY_PATH, 0x7ff, AT_PAGE}),
    ROW(statfs, "sp", {S("file"), AT_PAGE}),
    ROW(readlink, "spz", {S("link"), AT_PAGE, 100}),
    ROW(readlinkat, "fspz", {AT_FDCWD, S("link"), AT_PAGE, 100}),
    ROW(readlinkat, "fs", {FD_BOTH, S(""), AT_PAGE, 100}),
    ROW(rename, "ss", {S("file"), S("none")}),
    ROW(rename, "ss", {S("dir"), S("none")}),
    ROW(renameat, "fsfs", {AT_FDCWD, S("file"), AT_FDCWD, S("none")}),
    ROW(renameat2, "fsfsb", {AT_FDCWD, S("file"), AT_FDCWD, S("none"), 0}),
    ROW(renameat2, ".s.s", {AT_FDCWD, S("file"), AT_FDCWD, S("dir"), 2}),
    ROW(unlink, "s", {S("file")}),
    ROW(unlinkat, "fsb", {AT_FDCWD, S("file"), 0}),
    ROW(unlinkat, "fs", {AT_FDCWD, S("dir"), AT_REMOVEDIR}),
    ROW(mkdir, "sb", {S("none"), 0755}),
    ROW(mkdirat, "fsb", {AT_FDCWD, S("none"), 0755}),
    ROW(rmdir, "s", {S("dir")}),
    ROW(link, "ss", {S("file"), S("none")}),
    ROW(linkat, "fsfsb", {AT_FDCWD, S("file"), AT_FDCWD, S("none"), 0}),
    ROW(linkat, "fs", {FD_BOTH, S(""), AT_FDCWD, S("none"), AT_EMPTY_PATH}),
    ROW(symlink, "ss", {S("file"), S("none")}),
    ROW(symlinkat, "sfs", {S("file"), AT_FDCWD, S("none")}),
    ROW(mknod, "s", {S("none"), S_IFIFO | 0600, 0}),
    ROW(mknod, "s", {S("none"), 0600, 0}),
    ROW(mknod, "s", {S("none"), S_IFDIR | 0600, 0}),
    ROW(mknod, "s", {S("none"), S_IFLNK | 0600, 0}),
    ROW(mknod, "s", {S("none"), S_IFSOCK | 0600, 0}),
    ROW(mknodat, "fs", {AT_FDCWD, S("none"), S_IFREG | 0600, 0}),
    ROW(chmod, "sb", {S("file"), 0700}),
    ROW(fchmodat, "fsb", {AT_FDCWD, S("file"), 0700}),
    ROW(chown, "s", {S("file"), -1, -1}),
    ROW(lchown, "s", {S("file"), -1, -1}),
    ROW(fchownat, "fs..b", {AT_FDCWD, S("file"), -1, -1, 0}),
    ROW(fchownat, "fs", {FD_BOTH, S(""), -1, -1, AT_EMPTY_PATH}),
    ROW(utime, "sp", {S("file"), AT_PAGE}),
    ROW(utimes, "sp", {S("file"), AT_PAGE}),
    ROW(futimesat, "fsp", {AT_FDCWD, S("file"), AT_PAGE}),
    ROW(utimensat, "fspb", {AT_FDCWD, S("file"), AT_PAGE, 0}),
    ROW(utimensat, "fp", {FD_BOTH, 0, AT_PAGE, 0}),
    ROW(utimensat, "fs", {FD_BOTH, S(""), AT_PAGE, AT_EMPTY_PATH}),
    ROW(chdir, "s", {S("dir")}),
    ROW(fchdir, "f", {FD_DIR}),
    ROW(getcwd, "pz", {AT_PAGE, PAGE}),
    ROW(truncate, "so", {S("file"), 5}),
#ifdef __i386__
    ROW(chown32, "s", {S("file"), -1, -1}),
    ROW(lchown32, "s", {S("file"), -1, -1}),
    ROW(oldstat, "sp", {S("/proc/self"), AT_PAGE}),
    ROW(oldlstat, "sp", {S("/proc/self"), AT_PAGE}),
    ROW(stat64, "sp", {S("file"), AT_PAGE}),
    ROW(lstat64, "sp", {S("file"), AT_PAGE}),
    ROW(fstatat64, "fspb", {AT_FDCWD, S("file"), AT_PAGE, 0}),
    ROW(statfs64, "szp", {S("file"), 84, AT_PAGE}),
    ROW(truncate64, "sdd", {S("file"), 5, 0}),
    {"utimensat_time64", 412, "fspb", {AT_FDCWD, S("file"), AT_PAGE, 0}},
#else
    ROW(newfstatat, "fspb", {AT_FDCWD, S("file"), AT_PAGE, 0}),
#endif
};

/* Zeros are a good openat2() argument and good times. */
static void prepare(const struct row *r) { (void)r; }

int main(void) {
  CALL_ALL(rows);
  return 0;
}
