/* The x87, MMX and SSE as the monitor hands them over: FXSAVE's image without REX.W. SDM 2A FXSAVE, Table
 * 3-43 (Non-64-Bit-Mode Layout of FXSAVE and FXRSTOR Memory Region). */
#include <string.h>

#include "cpu/regname.h"
#include "tests/oracle/image.h"

/* Selectors are not seen: processors with CPUID.ZERO_FCS_FDS store 0 (SDM 1 8.1.8); nor pointers in an
 * emulator that has none. */
enum seen { ALWAYS, POINTER, NEVER };
static const struct {
  const char *name;
  u8 at, bytes;
  enum seen seen;
} fields[] = {{"fcw", 0, 2, ALWAYS},   {"fsw", 2, 2, ALWAYS}, {"ftw", 4, 1, ALWAYS},
              {"fop", 6, 2, POINTER},  {"fip", 8, 4, POINTER}, {"fcs", 12, 2, NEVER},
              {"fdp", 16, 4, POINTER}, {"fds", 20, 2, NEVER}, {"mxcsr", 24, 4, ALWAYS}};
enum { AT_ST = 32, AT_XMM = 160 };

static unsigned half(const char *file, unsigned n, bool high) {
  char name[16];
  snprintf(name, sizeof name, "%s%u.%s", file, n, high ? "hi" : "lo");
  return (unsigned)regname_find(name);
}

bool image_fpu_wide(const struct vstate *st) { return st->x87.fip >> 32 || st->x87.fdp >> 32; }

void image_fpu_words(const struct vstate *st, u64 w[FPU_WORDS]) {
  u8 *img = (u8 *)w;
  memset(img, 0, FPU_WORDS * 8);
  for (unsigned k = 0; k < sizeof fields / sizeof fields[0]; k++) {
    u64 v = vstate_get(st, (unsigned)regname_find(fields[k].name));
    memcpy(img + fields[k].at, &v, fields[k].bytes);
  }
  for (unsigned n = 0; n < 16; n++) {
    for (unsigned high = 0; high < 2; high++) {
      u64 x = vstate_get(st, half("xmm", n, high)), v = n < 8 ? vstate_get(st, half("st", n, high)) : 0;
      memcpy(img + AT_XMM + n * 16 + high * 8, &x, 8);
      if (n < 8) memcpy(img + AT_ST + n * 16 + high * 8, &v, high ? 2 : 8);
    }
  }
}

void image_fpu_back(struct vstate *st, const u64 w[FPU_WORDS], unsigned seen, bool pointers) {
  const u8 *img = (const u8 *)w;
  for (unsigned k = 0; k < sizeof fields / sizeof fields[0]; k++) {
    u64 v = 0;
    memcpy(&v, img + fields[k].at, fields[k].bytes);
    if (fields[k].seen == ALWAYS || (fields[k].seen == POINTER && pointers))
      vstate_set(st, (unsigned)regname_find(fields[k].name), v);
  }
  for (unsigned n = 0; n < 16; n++) {
    for (unsigned high = 0; high < 2; high++) {
      u64 v = 0;
      memcpy(&v, img + AT_ST + (n & 7) * 16 + high * 8, high ? 2 : 8);
      if (n < 8) vstate_set(st, half("st", n, high), v);
      memcpy(&v, img + AT_XMM + n * 16 + high * 8, 8);
      if (AT_XMM + n * 16 < seen * 8) vstate_set(st, half("xmm", n, high), v);
    }
  }
}
