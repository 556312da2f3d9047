/* The image's disk, and the emulator that boots it: the cases go out on the disk, the answers come on port
 * E9h. After a case that shuts the machine down or does not end the emulator is started again, at the next
 * one. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/oracle/image.h"

enum { BOOT_MS = 30000, PATIENCE_MS = 2500 }; /* of silence: before the first line, and after it */

static int append(struct image *im, const void *what, size_t n) {
  if (im->bytes + n > im->room) {
    u8 *more = realloc(im->cases, im->room * 2 + n + 65536);
    if (!more) return -1;
    im->cases = more;
    im->room = im->room * 2 + n + 65536;
  }
  memcpy(im->cases + im->bytes, what, n);
  im->bytes += n;
  return 0;
}

u64 image_key(const struct vstate *start) {
  u64 s[S_ALL], fpu[FPU_WORDS], key = 0;
  image_words(start, s);
  image_fpu_words(start, fpu);
  bool usual = vstate_usual_fpu(start);
  for (unsigned k = 0; !usual && k < FPU_WORDS; k++) key = (key ^ fpu[k]) * UINT64_C(0x100000001b3);
  for (unsigned k = 0; k < S_ALL; k++) key = (key ^ s[k]) * UINT64_C(0x100000001b3);
  for (u32 at = 0; at < VM_RAM; at += 8) key = (key ^ vstate_read(start, at, 8)) * UINT64_C(0x100000001b3);
  return key;
}

int image_enqueue(struct image *im, const struct job *j, const struct vstate *start) {
  struct image_case c = {.serial = im->count, .base = j->c->mode, .enter = image_entry(start)};
  bool usual = vstate_usual_fpu(start);
  if (!usual) c.enter |= ENTER_FPU;
  const struct vstate *base = &im->base[j->c->mode];
  image_words(start, c.s);
  size_t begin = im->bytes;
  size_t *starts = realloc(im->start, (im->count + 1) * sizeof *starts);
  struct came *came = starts ? realloc(im->came, (im->count + 1) * sizeof *came) : NULL;
  if (starts) im->start = starts;
  if (came) im->came = came;
  if (!came || append(im, &c, sizeof c)) return -1;
  for (u32 at = 0; at < VM_RAM; at += 8) {
    u64 v = vstate_read(start, at, 8);
    if (v == vstate_read(base, at, 8)) continue;
    struct image_word w = {at, (u32)v, (u32)(v >> 32)};
    if (append(im, &w, sizeof w)) return -1;
    c.words++;
  }
  u64 fpu[FPU_WORDS];
  image_fpu_words(start, fpu);
  if (!usual && append(im, fpu, sizeof fpu)) return -1;
  memcpy(im->cases + begin, &c, sizeof c);
  im->start[im->count] = begin;
  im->came[im->count++] = (struct came){.key = image_key(start)};
  return 0;
}

/* ---- running the emulator ---- */

static struct image_head head_of(const struct image *im, size_t first, u32 cases) {
  struct image_head head = {.magic = IMAGE_MAGIC, .bases = VM_MODES, .cases = cases, .first = (u32)first};
  u64 fpu[FPU_WORDS];
  image_fpu_words(&im->base[0], fpu);
  memcpy(head.fpu, fpu, sizeof head.fpu);
  return head;
}

static int write_disk(struct image *im, size_t first, u32 cases) {
  static u8 zeros[SECTOR * 256];
  char name[440];
  u8 part[BOOT_SECTORS * SECTOR + SECTOR] = {0};
  for (int k = 0; k < 2; k++) {
    snprintf(name, sizeof name, "%s-%s.bin", im->files, k ? "monitor" : "boot");
    FILE *f = fopen(name, "rb");
    if (!f) return -1;
    size_t got = fread(part + k * SECTOR, 1, k ? BOOT_SECTORS * SECTOR : SECTOR, f);
    fclose(f);
    if (!got) return -1;
  }
  struct image_head head = head_of(im, first, cases);
  FILE *f = fopen(im->disk, "wb");
  if (!f) return -1;
  bool ok = fwrite(part, sizeof part, 1, f) == 1 && !fseek(f, HEAD_LBA * SECTOR, SEEK_SET) &&
            fwrite(&head, sizeof head, 1, f) == 1 && !fseek(f, BASES_LBA * SECTOR, SEEK_SET);
  for (unsigned m = 0; m < VM_MODES && ok; m++) ok = fwrite(im->base[m].ram, BASE_BYTES, 1, f) == 1;
  ok = ok && (!im->bytes || fwrite(im->cases, im->bytes, 1, f) == 1) &&
       fwrite(zeros, sizeof zeros, 1, f) == 1;
  /* Whole cylinders of 16 heads and 63 sectors */
  long size = ok ? ftell(f) : 0, cylinder = 16 * 63 * SECTOR;
  ok = ok && size > 0 && !ftruncate(fileno(f), (size + cylinder) / cylinder * cylinder);
  return fclose(f) || !ok ? -1 : 0;
}

static void exec_qemu(struct image *im) {
  char drive[160], cpu[80];
  snprintf(drive, sizeof drive, "file=%s,format=raw,if=ide,snapshot=on", im->disk);
  snprintf(cpu, sizeof cpu, "max,-pks,vendor=%s", im->vendor == VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel");
  execlp("qemu-system-x86_64", "qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-m", "64", "-display",
         "none", "-nodefaults", "-no-reboot", "-drive", drive, "-chardev", "stdio,id=out", "-device",
         "isa-debugcon,iobase=0xe9,chardev=out", "-device", "isa-debug-exit,iobase=0xf4", NULL);
}

static void exec_bochs(struct image *im) {
  FILE *f = fopen(im->config, "w");
  if (!f) return;
  struct stat st;
  if (stat(im->disk, &st)) return;
  fprintf(f,
          "display_library: rfb, options=\"timeout=0\"\nmegs: 64\n"
          "romimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
          "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest\nboot: disk\n"
          "log: /dev/null\nport_e9_hack: enabled=1\n"
          "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
          "ata0-master: type=disk, path=%s, mode=flat, cylinders=%ld, heads=16, spt=63\n"
          "cpu: model=%s, count=1, ips=200000000, reset_on_triple_fault=0, ignore_bad_msrs=0\n"
          "clock: sync=none\n"
          "sound: driver=dummy\n"
          "panic: action=fatal\nerror: action=ignore\ninfo: action=ignore\ndebug: action=ignore\n",
          im->disk, (long)st.st_size / (16 * 63 * SECTOR),
          im->vendor == VENDOR_AMD ? "ryzen" : "corei7_icelake_u");
  fclose(f);
  /* Debian's has the debugger in it, which waits for a word; it stops at a shutdown, which "q" then ends. */
  char words[160];
  snprintf(words, sizeof words, "%s/words", im->dir);
  f = fopen(words, "w");
  if (!f || fputs("c\nq\n", f) < 0 || fclose(f)) return;
  execlp("bochs", "bochs", "-q", "-f", im->config, "-rc", words, NULL);
}

/* Where the next run begins. */
static int write_head(struct image *im, size_t first, u32 cases) {
  struct image_head head = head_of(im, first, cases);
  FILE *f = fopen(im->disk, "r+b");
  if (!f) return -1;
  bool ok = !fseek(f, HEAD_LBA * SECTOR, SEEK_SET) && fwrite(&head, sizeof head, 1, f) == 1;
  return fclose(f) || !ok ? -1 : 0;
}

/* One line of what the monitor prints. Returns whether it is the last. */
static bool hear(struct image *im, const char *line, long *now) {
  unsigned long long x[6];
  char what = line[0];
  if (!strncmp(line, "END", 3)) return true;
  if (im->keep) fprintf(im->keep, "%s\n", line);
  int n = sscanf(line + 1, "%llx %llx %llx %llx %llx %llx", &x[0], &x[1], &x[2], &x[3], &x[4], &x[5]);
  if (what == 'C' && n == 6 && im->cpuids < CPUIDS && !im->count) {
    for (int k = 0; k < 6; k++) im->cpuid[im->cpuids][k] = (u32)x[k];
    im->cpuids++;
  } else if (what == 'R' && n >= 1 && x[0] < im->count) {
    *now = (long)x[0];
  } else if (*now >= 0 && what == 'V' && n >= 1) {
    im->came[*now].left_by = (u8)x[0];
  } else if (*now >= 0 && (what == 's' || what == 'm' || what == 'f') && n >= 2) {
    struct came *c = &im->came[*now];
    u64 *more = realloc(c->change, (c->changes + 1) * 16);
    if (!more) return true;
    c->change = more;
    c->change[c->changes * 2] = x[0] | (u64)(what == 'm') << 63 | (u64)(what == 'f') << 62;
    c->change[c->changes++ * 2 + 1] = x[1];
  } else if (*now >= 0 && what == 'E') {
    im->came[*now].fate = FATE_BACK;
  } else if (*now >= 0 && what == 'F' && n >= 1) { /* kept, not printed by the monitor */
    im->came[*now].fate = (u8)x[0];
  }
  return false;
}

/* Runs the disk. Returns 0 when all was heard, 1 when it ended early, 2 when it went silent, -1: it cannot be
 * run. */
static int run_disk(struct image *im, long *now) {
  int end[2];
  char lock[140];
  snprintf(lock, sizeof lock, "%s.lock", im->disk); /* Bochs killed leaves it */
  unlink(lock);
  if (pipe(end)) return -1;
  pid_t child = fork();
  if (child < 0) return -1;
  if (!child) {
    dup2(end[1], 1);
    close(end[0]);
    if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stderr)) _exit(127);
    if (!strcmp(im->emulator, "qemu")) exec_qemu(im);
    else exec_bochs(im);
    _exit(127);
  }
  close(end[1]);
  static char text[65536];
  size_t have = 0;
  int result = 1, patience = BOOT_MS;
  for (bool last = false; !last;) {
    struct pollfd p = {.fd = end[0], .events = POLLIN};
    int got = poll(&p, 1, patience);
    ssize_t n = got > 0 ? read(end[0], text + have, sizeof text - 1 - have) : 0;
    if (got == 0) result = 2;
    if (n <= 0) break;
    have += (size_t)n;
    patience = PATIENCE_MS;
    char *line = text, *nl;
    while (!last && (nl = memchr(line, '\n', have - (size_t)(line - text)))) {
      *nl = 0;
      last = hear(im, line, now);
      line = nl + 1;
    }
    if (last) result = 0;
    have -= (size_t)(line - text);
    memmove(text, line, have);
    if (have == sizeof text - 1) have = 0;
  }
  kill(child, SIGKILL);
  close(end[0]);
  waitpid(child, NULL, 0);
  unlink(lock);
  return result;
}

int image_boot(struct image *im, char why[REASON_MAX]) {
  long now = -1;
  if (write_disk(im, 0, 0))
    return decline(why, "no image: %s-boot.bin, %s-monitor.bin", im->files, im->files);
  if (run_disk(im, &now) || !im->cpuids)
    return decline(why, "%s is not installed, or does not boot", im->emulator);
  return 0;
}

static int run_all(struct image *im, char why[REASON_MAX]) {
  unsigned futile = 0;
  if (write_disk(im, 0, im->count)) return decline(why, "the image cannot be written");
  for (u32 from = 0; from < im->count;) {
    long now = (long)from - 1;
    if (write_head(im, im->start[from], im->count - from)) return decline(why, "the image cannot be written");
    int got = run_disk(im, &now);
    if (got < 0) return decline(why, "%s cannot be run", im->emulator);
    if (!got) return 0;
    futile = now < (long)from ? futile + 1 : 0;
    if (futile == 3) return decline(why, "%s does not boot", im->emulator);
    if (!futile) {
      if (im->came[now].fate == FATE_NONE) {
        im->came[now].fate = got == 2 ? FATE_SILENT : FATE_SHUTDOWN;
        if (im->keep) fprintf(im->keep, "R %lx\nF %x\n", (unsigned long)now, im->came[now].fate);
      }
      from = (u32)now + 1;
    }
  }
  return 0;
}

/* Answers kept by an earlier run, perhaps of other vectors. */
static int take_answers(struct image *im, FILE *f) {
  char line[256];
  unsigned long long x[2];
  long now = -1;
  im->count = 0;
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "K %llx %llx", &x[0], &x[1]) != 2) {
      hear(im, line, &now);
      continue;
    }
    struct came *more = realloc(im->came, (im->count + 1) * sizeof *more);
    if (!more) return -1;
    im->came = more;
    im->came[im->count++] = (struct came){.key = x[1]};
  }
  return ferror(f) ? -1 : 0;
}

static int keep_answers(struct image *im, char why[REASON_MAX]) {
  if (im->answers && !(im->keep = fopen(im->answers, "w"))) return decline(why, "the answers cannot be kept");
  for (u32 k = 0; im->keep && k < im->count; k++)
    fprintf(im->keep, "K %x %llx\n", k, (unsigned long long)im->came[k].key);
  int got = run_all(im, why);
  if (im->keep && fclose(im->keep)) got = decline(why, "the answers cannot be kept");
  im->keep = NULL;
  return got;
}

static int by_key(const void *a, const void *b) {
  u64 x = ((const struct came *)a)->key, y = ((const struct came *)b)->key;
  return (x > y) - (x < y);
}

int image_run(struct image *im, char why[REASON_MAX]) {
  FILE *f = im->answers ? fopen(im->answers, "r") : NULL;
  int got = f ? take_answers(im, f) : keep_answers(im, why);
  if (f && (fclose(f) || got)) got = decline(why, "the answers cannot be read");
  if (im->count) qsort(im->came, im->count, sizeof *im->came, by_key);
  return got;
}

const struct came *image_answer(const struct image *im, u64 key) {
  const struct came wanted = {.key = key};
  return im->count ? bsearch(&wanted, im->came, im->count, sizeof wanted, by_key) : NULL;
}
