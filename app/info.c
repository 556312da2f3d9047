/* `ringwalk info`: listings straight from the tables. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "cpu/opcodes.h"
#include "linux_abi/syscalls.h"
#include "msr/info.h"

/* The opcode as the manual writes it: "66 0F 6F /r", "FF /2", "50+r". */
static void opcode_text(const struct oprow *r, char *out, size_t n) {
  static const char *const prefix[] = {"", "NP ", "66 ", "F3 ", "F2 ", "", "F3 "};
  static const char *const map[] = {"", "0F ", "0F 38 ", "0F 3A "};
  size_t at = (size_t)snprintf(out, n, "%s%s%02X", prefix[r->prefix], map[r->map & 3], r->opcode);
  if (r->attrs & A_ZREG) at += (size_t)snprintf(out + at, n - at, "+r");
  if (!(r->modrm & 1)) return;
  unsigned reg = r->modrm >> 4 & 7, rm = r->modrm >> 8 & 7;
  if (r->modrm & 0x80) snprintf(out + at, n - at, " %02X", 0xc0 | reg << 3 | rm);
  else if (r->modrm & 8)
    snprintf(out + at, n - at, " /%u%s", reg, r->modrm & 2 ? " reg" : r->modrm & 4 ? " mem" : "");
  else snprintf(out + at, n - at, " /r%s", r->modrm & 2 ? " reg" : r->modrm & 4 ? " mem" : "");
}

static void info_opcodes(void) {
  static const char *const modes[] = {"all", "not 64-bit", "64-bit", "protected"};
  printf("%-16s %-11s %-16s %-10s %-6s %-6s %-8s %-4s %s\n", "opcode", "name", "operands", "modes", "flags",
         "undef", "feature", "priv", "manual");
  for (unsigned k = 0; k < opcode_row_count; k++) {
    const struct oprow *r = &opcode_rows[k];
    char text[48];
    opcode_text(r, text, sizeof text);
    printf("%-16s %-11s %-16s %-10s %-6s %-6s %-8s %-4s %s\n", text, r->name,
           *r->operands ? r->operands : "-", modes[r->modes], *r->modified ? r->modified : "-",
           *r->undefined ? r->undefined : "-", r->feature >= 0 ? feature_rows[r->feature].name : "-",
           r->attrs & A_CPL0 ? "0" : "-", r->cite);
  }
  printf("%u rows\n", opcode_row_count);
}

static void info_syscalls(void) {
  static const char *const level[] = {"none", "stub", "partial", "full"};
  unsigned count[4] = {0};
  printf("%-26s %7s %5s  %-8s %s\n", "name", "x86_64", "i386", "support", "note");
  for (unsigned k = 0; k < sys_row_count; k++) {
    const struct sys_row *r = &sys_rows[k];
    char n64[8] = "-", n32[8] = "-";
    if (r->nr64 >= 0) snprintf(n64, sizeof n64, "%d", r->nr64);
    if (r->nr32 >= 0) snprintf(n32, sizeof n32, "%d", r->nr32);
    printf("%-26s %7s %5s  %-8s %s\n", r->name, n64, n32, level[r->level], r->note);
    count[r->level]++;
  }
  printf("%u rows: %u full, %u partial, %u stub, %u none\n", sys_row_count, count[SYS_FULL],
         count[SYS_PARTIAL], count[SYS_STUB], count[SYS_NONE]);
}

int app_info(int argc, char **argv) {
  struct app_options o;
  if (app_output_ready() || app_options_init(&o)) return APP_FAILED;
  int a = app_parse(&o, APP_INFO, argc, argv), status = a ? APP_CANNOT_RUN : 0;
  const char *what = a > 0 && a < argc ? argv[a] : "", *more = NULL;
  if (*what) { /* options are welcome behind it, too */
    argv[a] = argv[0];
    int b = app_parse(&o, APP_INFO, argc - a, argv + a);
    if (b > 0 && b < argc - a) more = argv[a + b];
    if (b <= 0) a = b, status = b ? APP_CANNOT_RUN : 0;
  }
  void (*list)(void) = !strcmp(what, "opcodes") ? info_opcodes : !strcmp(what, "syscalls") ? info_syscalls : NULL;
  void (*list_to)(FILE *f) = !strcmp(what, "msrs") ? info_msrs : !strcmp(what, "cpus") ? info_cpus : NULL;
  bool cpuid = !strcmp(what, "cpuid");
  if (a > 0) {
    status = 0;
    if (!list && !list_to && !cpuid) {
      app_error("info: %s%sone of opcodes, syscalls, msrs, cpus, cpuid is wanted", what,
                *what ? ": no such list; " : "");
      status = APP_CANNOT_RUN;
    } else if (more) {
      app_error("info %s: one list, not also '%s'", what, more);
      status = APP_CANNOT_RUN;
    } else if (cpuid) {
      info_cpuid(stdout, &o.model);
    } else if (list) {
      list();
    } else {
      list_to(stdout);
    }
  }
  app_options_free(&o);
  return status;
}
