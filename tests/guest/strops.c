/* String instructions: every width, both directions, with and without repetition, overlapping, and counts of
 * zero; and the C library's string functions over odd lengths and alignments. */
#include "guest.h"

enum { ROOM = 512 };
static unsigned char buf[ROOM];

static void fresh(void) {
  for (int i = 0; i < ROOM; i++)
    buf[i] = (unsigned char)(i * 31 + 7);
}

struct regs {
  unsigned long ax, cx, si, di, flags;
};

static uint64_t sum;

static void note(const struct regs *r, unsigned long flag_mask, int with_ax) {
  long where[] = {(long)r->cx, (long)(r->si - (unsigned long)buf), (long)(r->di - (unsigned long)buf),
                  (long)(r->flags & flag_mask), with_ax ? (long)r->ax : 0};
  for (size_t i = 0; i < sizeof where / sizeof *where; i++)
    sum = checksum(sum, &(int64_t){where[i]}, 8);
  sum = checksum(sum, buf, ROOM);
}

/* Pins the registers the instruction uses; before is cld or std. */
#define RUN(insn, r) \
  asm volatile("push %[f]\n popf\n" insn "\n pushf\n pop %[f]\n cld" \
               : "+a"((r).ax), "+c"((r).cx), "+S"((r).si), "+D"((r).di), [f] "+r"((r).flags) \
               : \
               : "memory", "cc")

#define EACH(insn, flag_mask, with_ax) \
  do { \
    sum = CHECKSUM_START; \
    for (int down = 0; down < 2; down++) \
      for (unsigned long n = 0; n < 20; n += n < 4 ? 1 : 5) \
        for (int gap = -24; gap <= 24; gap += 3) { \
          fresh(); \
          memcpy(buf + 200 + gap, buf + 200, 20); \
          struct regs r = {.ax = 0x44332211, \
                           .cx = n, \
                           .si = (unsigned long)(buf + 200), \
                           .di = (unsigned long)(buf + 200 + gap), \
                           .flags = 0x202 | (down ? 0x400 : 0)}; \
          RUN(insn, r); \
          note(&r, flag_mask, with_ax); \
        } \
    printf("%-14s %016llx\n", insn, (unsigned long long)sum); \
  } while (0)

#define WIDTHS(insn, mask, with_ax) \
  EACH(insn "b", mask, with_ax); \
  EACH(insn "w", mask, with_ax); \
  EACH(insn "l", mask, with_ax); \
  WIDE(insn, mask, with_ax)
#ifdef __x86_64__
#define WIDE(insn, mask, with_ax) EACH(insn "q", mask, with_ax)
#else
#define WIDE(insn, mask, with_ax) (void)0
#endif

static void instructions(void) {
  enum { STATUS = 0x8d5 };
  WIDTHS("movs", 0, 0);
  WIDTHS("rep movs", 0, 0);
  WIDTHS("stos", 0, 0);
  WIDTHS("rep stos", 0, 0);
  WIDTHS("lods", 0, 1);
  WIDTHS("rep lods", 0, 1);
  WIDTHS("cmps", STATUS, 0);
  WIDTHS("repe cmps", STATUS, 0);
  WIDTHS("repne cmps", STATUS, 0);
  WIDTHS("scas", STATUS, 0);
  WIDTHS("repe scas", STATUS, 0);
  WIDTHS("repne scas", STATUS, 0);
  EACH("rep; nop", 0, 1); /* a prefix where it means nothing */
}

static void library(void) {
  sum = CHECKSUM_START;
  static char a[300], b[300];
  for (int len = 0; len < 140; len++)
    for (int align = 0; align < 17; align += 3) {
      memset(a, 'x', sizeof a), memset(b, 0, sizeof b);
      for (int i = 0; i < len; i++)
        a[align + i] = (char)('a' + (i * 7 + len) % 25);
      a[align + len] = 0;
      strcpy(b + (16 - align), a + align);
      char *at = strchr(b, 'q');
      long r[] = {(long)strlen(a + align),
                  strcmp(a + align, b + (16 - align)) == 0,
                  memcmp(a, b, 20) < 0,
                  strncmp(a + align, "abc", 3) > 0,
                  at ? at - b : -1,
                  strstr(a + align, "hov") ? 1 : 0,
                  (long)strspn(a + align, "abcdefghijklm"),
                  (long)strcspn(a + align, "z"),
                  memchr(a, 'y', sizeof a) != NULL,
                  strrchr(a + align, 'c') ? strrchr(a + align, 'c') - a : -1};
      memmove(a + align + 3, a + align, (size_t)len);
      memmove(a + align, a + align + 5, (size_t)len);
      sum = checksum(sum, a, sizeof a);
      for (size_t i = 0; i < sizeof r / sizeof *r; i++)
        sum = checksum(sum, &(int64_t){r[i]}, 8);
    }
  printf("library        %016llx\n", (unsigned long long)sum);
  static char big[1 << 20];
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (char)(i >> 5);
  memmove(big + 100, big, sizeof big - 100);
  memcpy(big + (sizeof big / 2), big, sizeof big / 2);
  memset(big + 5000, 9, 300000);
  printf("large          %016llx\n", (unsigned long long)checksum(CHECKSUM_START, big, sizeof big));
  char text[] = "one,two;three  four";
  for (char *save, *t = strtok_r(text, ",; ", &save); t; t = strtok_r(NULL, ",; ", &save))
    printf("[%s]", t);
  printf("\n");
}

int main(void) {
  instructions();
  library();
  return 0;
}
