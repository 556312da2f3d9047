/* Parts of registers by name, for expressions: the fields of control registers and flags, and of segments' hidden parts.
 * SDM 3A 2.5 (Control Registers), 2.2.1 (Extended Feature Enable Register), 3.4.5 (Segment Descriptors). */
#include <ctype.h>
#include <string.h>

#include "cpu/regname.h"
#include "debugger/dbg.h"
#include "debugger/view_fields.h"

/* In the layout of struct seg's attributes. */
static const struct { const char *name; u8 shift, width; } segment_parts[] = {
    {"type", 0, 4}, {"s", 4, 1}, {"dpl", 5, 2}, {"p", 7, 1}, {"avl", 12, 1}, {"l", 13, 1}, {"d", 14, 1}, {"b", 14, 1}, {"g", 15, 1},
};

static const struct { const char *name; enum field_set set; } fields[] = {
    {"cr0", F_CR0}, {"cr4", F_CR4}, {"xcr0", F_XCR0}, {"efer", F_EFER}, {"rflags", F_RFLAGS}, {"eflags", F_RFLAGS},
    {"flags", F_RFLAGS}, {"dr6", F_DR6}, {"dr7", F_DR7}, {"mxcsr", F_MXCSR},
};

static bool is_segment(const char *name, size_t n) {
  static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
  for (unsigned k = 0; k < ARRAY_SIZE(names); k++)
    if (strlen(names[k]) == n && !strncmp(names[k], name, n)) return true;
  return false;
}

static bool same_but_case(const char *lower, const char *name) {
  while (*lower && *lower == tolower((unsigned char)*name)) lower++, name++;
  return !*lower && !*name;
}

bool register_field(const char *name, struct register_field *out) {
  const char *dot = strchr(name, '.');
  size_t n = dot ? (size_t)(dot - name) : 0;
  char whole[16];
  if (!n || n > 6) return false;
  for (unsigned k = 0; k < ARRAY_SIZE(segment_parts) && is_segment(name, n); k++) {
    if (strcmp(dot + 1, segment_parts[k].name)) continue;
    snprintf(whole, sizeof whole, "%.*s.attr", (int)n, name);
    *out = (struct register_field){regname_find(whole), segment_parts[k].shift, segment_parts[k].width};
    return out->id >= 0;
  }
  for (unsigned k = 0; k < ARRAY_SIZE(fields); k++) {
    const struct field *f;
    if (strlen(fields[k].name) != n || strncmp(fields[k].name, name, n)) continue;
    for (unsigned j = 0; (f = field_at(fields[k].set, j)) != NULL; j++) {
      if (!same_but_case(dot + 1, f->name)) continue;
      snprintf(whole, sizeof whole, "%s", strstr(fields[k].name, "flags") ? "rflags" : fields[k].name);
      *out = (struct register_field){regname_find(whole), f->lo, (u8)(f->hi - f->lo + 1)};
      return out->id >= 0;
    }
  }
  return false;
}

/* "es" .. "gs": which; -1: none. */
int register_segment(const char *name) {
  static const char *const names[SREG_COUNT] = {[ES] = "es", [CS] = "cs", [SS] = "ss", [DS] = "ds", [FS] = "fs", [GS] = "gs"};
  for (int k = 0; k < SREG_COUNT; k++)
    if (!strcmp(name, names[k])) return k;
  return -1;
}

int segment_base(struct dbg *d, u16 sel, u64 *base) {
  struct view_desc desc;
  const struct cpu *cpu = d->cpu;
  if (!cpu_protected(cpu)) return *base = (u64)sel << 4, 0;
  if (cpu_code64(cpu)) return *base = 0, 0;
  if (view_desc_read(d->cpu, sel, &desc)) return -1;
  return *base = desc.s.base, 0;
}
