/* Which system calls -e trace= means: names and strace's classes. man 1 strace, "Filtering". */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/strace.h"

/* Names stand for their later forms too: those with "_time64", "64" or "32" behind. */
static const struct {
  const char *name;
  bool plain; /* also without % in front */
  const char *calls;
} classes[] = {
    {"file", true,
     "access acct chdir chmod chown chroot creat execve execveat faccessat faccessat2 fanotify_mark "
     "fchmodat fchmodat2 fchownat fsconfig fspick fstatat futimesat getcwd getxattr inotify_add_watch "
     "lchown lgetxattr link linkat listxattr llistxattr lremovexattr lsetxattr lstat mkdir mkdirat mknod "
     "mknodat mount mount_setattr move_mount name_to_handle_at newfstatat oldlstat oldstat open "
     "open_tree openat openat2 pivot_root quotactl readlink readlinkat removexattr rename renameat "
     "renameat2 rmdir setxattr stat statfs statx swapoff swapon symlink symlinkat truncate umount "
     "umount2 unlink unlinkat uselib utime utimensat utimes"},
    {"desc", true,
     "_llseek _newselect bpf cachestat close copy_file_range creat dup dup2 dup3 epoll_create "
     "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execveat faccessat "
     "faccessat2 fadvise64 fadvise64_64 fallocate fanotify_init fanotify_mark fchdir fchmod fchmodat "
     "fchmodat2 fchown fchownat fcntl fdatasync fgetxattr finit_module flistxattr flock fremovexattr "
     "fsconfig fsetxattr fsmount fsopen fspick fstat fstatat fstatfs fsync ftruncate futimesat getdents "
     "getdents64 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_uring_enter "
     "io_uring_register io_uring_setup ioctl kexec_file_load landlock_add_rule landlock_create_ruleset "
     "landlock_restrict_self linkat lseek memfd_create memfd_secret mkdirat mknodat mmap mmap2 "
     "mount_setattr move_mount mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend "
     "name_to_handle_at newfstatat oldfstat open open_by_handle_at open_tree openat openat2 "
     "perf_event_open pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 poll ppoll pread64 preadv "
     "preadv2 process_madvise process_mrelease pselect6 pwrite64 pwritev pwritev2 quotactl_fd read "
     "readahead readdir readlinkat readv renameat renameat2 select sendfile setns signalfd signalfd4 "
     "splice statx symlinkat sync_file_range syncfs tee timerfd_create timerfd_gettime timerfd_settime "
     "unlinkat userfaultfd utimensat vmsplice write writev"},
    {"memory", true,
     "brk get_mempolicy io_destroy io_setup io_uring_register madvise map_shadow_stack mbind "
     "migrate_pages mincore mlock mlock2 mlockall mmap mmap2 move_pages mprotect mremap mseal msync "
     "munlock munlockall munmap pkey_mprotect remap_file_pages set_mempolicy set_mempolicy_home_node "
     "shmat shmdt"},
    {"process", true,
     "clone clone3 execve execveat exit exit_group fork kill pidfd_send_signal rt_sigqueueinfo "
     "rt_tgsigqueueinfo tgkill tkill vfork wait4 waitid waitpid"},
    {"signal", true,
     "io_uring_enter kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask "
     "rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sgetmask sigaction "
     "sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend ssetmask tgkill "
     "tkill"},
    {"network", true,
     "accept accept4 bind connect getpeername getpmsg getsockname getsockopt listen putpmsg recvfrom "
     "recvmmsg recvmsg sendfile sendmmsg sendmsg sendto setsockopt shutdown socket socketcall socketpair"},
    {"ipc", true,
     "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget"},
    {"creds", false,
     "capget capset getegid geteuid getgid getgroups getresgid getresuid getuid prctl setfsgid setfsuid "
     "setgid setgroups setregid setresgid setresuid setreuid setuid"},
    {"clock", false,
     "adjtimex clock_adjtime clock_getres clock_gettime clock_settime gettimeofday settimeofday stime "
     "time"},
    {"stat", false, "oldstat stat"},
    {"lstat", false, "lstat oldlstat"},
    {"fstat", false, "fstat fstatat newfstatat oldfstat statx"},
    {"%stat", false, "fstat fstatat lstat newfstatat oldfstat oldlstat oldstat stat statx"},
    {"statfs", false, "statfs"},
    {"fstatfs", false, "fstatfs"},
    {"%statfs", false, "fstatfs statfs ustat"},
    {"pure", false, "getegid geteuid getgid getpgrp getpid getppid gettid getuid"},
};

/* Is the word of n characters in the list, of which blanks separate the words? */
static bool in_list(const char *list, const char *word, size_t n) {
  for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
    if (strcspn(p, " ") == n && !strncmp(p, word, n)) return true;
  return false;
}

static bool class_lists(const char *list, const char *call) {
  static const char *const suffixes[] = {"_time64", "64", "32"};
  size_t n = strlen(call);
  if (in_list(list, call, n)) return true;
  for (unsigned k = 0; k < ARRAY_SIZE(suffixes); k++) {
    size_t s = strlen(suffixes[k]);
    if (n > s && !strcmp(call + n - s, suffixes[k]) && in_list(list, call, n - s)) return true;
  }
  return false;
}

int strace_class_has(const char *class, const char *call) {
  bool percent = *class == '%';
  class += percent;
  if (percent && !strcmp(class, "net")) class = "network";
  for (unsigned k = 0; k < ARRAY_SIZE(classes); k++)
    if (!strcmp(class, classes[k].name) && (percent || classes[k].plain))
      return class_lists(classes[k].calls, call);
  return -1;
}

/* Does this word of the filter mean anything; and if so, `on` goes to the rows that it means. */
static bool choose_word(const char *word, bool on, bool *chosen) {
  bool known = strace_class_has(word, "") >= 0;
  regex_t r;
  if (*word == '/') {
    if (regcomp(&r, word + 1, REG_EXTENDED | REG_NOSUB)) return false;
    for (unsigned k = 0; k < sys_row_count; k++)
      if (!regexec(&r, sys_rows[k].name, 0, NULL, 0)) chosen[k] = on, known = true;
    regfree(&r);
    return known;
  }
  for (unsigned k = 0; k < sys_row_count; k++) {
    bool named = !strcmp(sys_rows[k].name, word);
    if (named || strace_class_has(word, sys_rows[k].name) > 0) chosen[k] = on, known = true;
  }
  return known;
}

int strace_choose(const char *filter, bool *chosen) {
  bool except = filter && *filter == '!', none = filter && !strcmp(filter, "none");
  bool rest = !filter || !strcmp(filter, "all") || except;
  char word[64];
  unsigned words = 0;
  for (unsigned k = 0; k <= sys_row_count; k++) chosen[k] = rest;
  if (none || (rest && !except)) return 0;
  for (const char *p = filter + except; *p; p += *p == ',') {
    size_t n = strcspn(p, ",");
    bool lenient = *p == '?';
    snprintf(word, sizeof word, "%.*s", (int)(n - lenient), p + lenient);
    if (n && !choose_word(word, !except, chosen) && !lenient) {
      app_error("-e trace=%s: no system call or class is called '%s'; see ringwalk info syscalls", filter, word);
      return -1;
    }
    words += n > 0;
    p += n;
  }
  if (words) return 0;
  app_error("-e trace=%s: no system call is named; write all or none for these", filter);
  return -1;
}
