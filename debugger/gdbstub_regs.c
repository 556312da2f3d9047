/* The gdb stub's registers: one layout, its target description, and their values. GDB manual, G.4 (Predefined Target
 * Types), G.5.6 (i386 Features), E.2 (Packets: g, G, p, P). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regname.h"
#include "debugger/gdbstub_inside.h"

enum { CORE, SSE, AVX, AVX512, LINUX, SEGMENTS, SYSTEM, FEATURES };
static const char *const feature_names[FEATURES] = {
    "org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse", "org.gnu.gdb.i386.avx", "org.gnu.gdb.i386.avx512",
    "org.gnu.gdb.i386.linux", "org.gnu.gdb.i386.segments", "org.ringwalk.system",
};

/* Where a register's value is. */
enum {
  BY_ID,      /* cpu/regname.h's */
  BY_PC,      /* linear */
  BY_GPR32,   /* of the i386 layout: the upper half stays what it is, if that is not 0 */
  BY_SELECTOR,
  BY_ST,
  BY_TAGS,    /* two bits a register, where the processor has one */
  BY_XMM,
  BY_YMMH,
  BY_ZMMH,
  BY_CALL,    /* the number of the system call in progress */
  BY_RO,      /* BY_ID, and not to be written */
};

/* ---- the layout ---- */

static void add(struct gdbstub *g, unsigned feature, const char *name, unsigned bytes, unsigned how,
                unsigned which, const char *type) {
  if (g->regs == GDB_REGS) return;
  struct gdb_reg *r = &g->reg[g->regs++];
  *r = (struct gdb_reg){.type = type, .bytes = (u8)bytes, .how = (u8)how, .feature = (u8)feature,
                        .which = (u16)which};
  snprintf(r->name, sizeof r->name, "%s", name);
}

/* A register that cpu/regname.h knows as `id`. */
static void add_id(struct gdbstub *g, unsigned feature, const char *name, unsigned bytes, const char *id,
                   const char *type) {
  int n = regname_find(id);
  if (n >= 0) add(g, feature, name, bytes, BY_ID, (unsigned)n, type);
}

static void add_general(struct gdbstub *g) {
  static const struct { const char *name; u8 reg; } wide[] = {
      {"rax", RAX}, {"rbx", RBX}, {"rcx", RCX}, {"rdx", RDX}, {"rsi", RSI}, {"rdi", RDI}, {"rbp", RBP}, {"rsp", RSP},
      {"r8", R8}, {"r9", R9}, {"r10", R10}, {"r11", R11}, {"r12", R12}, {"r13", R13}, {"r14", R14}, {"r15", R15},
  };
  static const char *const narrow[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
  for (unsigned k = 0; k < (g->wide ? 16u : 8u); k++) {
    unsigned reg = g->wide ? wide[k].reg : k;
    if (reg == RBP || reg == RSP) g->first_expedited[reg == RSP] = g->regs;
    const char *type = reg == RBP || reg == RSP ? "data_ptr" : g->wide ? "int64" : "int32";
    if (g->wide) add_id(g, CORE, wide[k].name, 8, wide[k].name, type);
    else add(g, CORE, narrow[k], 4, BY_GPR32, reg, type);
  }
  g->first_expedited[2] = g->regs;
  add(g, CORE, g->wide ? "rip" : "eip", g->wide ? 8 : 4, BY_PC, 0, "code_ptr");
}

static void add_core(struct gdbstub *g) {
  static const struct { const char *name; u8 reg; } segs[] = {{"cs", CS}, {"ss", SS}, {"ds", DS},
                                                              {"es", ES}, {"fs", FS}, {"gs", GS}};
  static const char *const x87[][2] = {{"fctrl", "fcw"}, {"fstat", "fsw"}, {"ftag", NULL},  {"fiseg", "fcs"},
                                       {"fioff", "fip"}, {"foseg", "fds"}, {"fooff", "fdp"}, {"fop", "fop"}};
  add_general(g);
  add_id(g, CORE, "eflags", 4, "rflags", "i386_eflags");
  for (unsigned k = 0; k < ARRAY_SIZE(segs); k++)
    add(g, CORE, segs[k].name, 4, BY_SELECTOR, segs[k].reg, "int32");
  for (unsigned k = 0; k < 8; k++) {
    char name[8];
    snprintf(name, sizeof name, "st%u", k);
    add(g, CORE, name, 10, BY_ST, k, "i387_ext");
  }
  for (unsigned k = 0; k < ARRAY_SIZE(x87); k++) {
    if (x87[k][1]) add_id(g, CORE, x87[k][0], 4, x87[k][1], "int");
    else add(g, CORE, x87[k][0], 4, BY_TAGS, 0, "int");
  }
}

static void add_vectors(struct gdbstub *g) {
  char name[8];
  unsigned n = g->wide ? 16 : 8;
  for (unsigned k = 0; k < n; k++) {
    snprintf(name, sizeof name, "xmm%u", k);
    add(g, SSE, name, 16, BY_XMM, k, "vec128");
  }
  add_id(g, SSE, "mxcsr", 4, "mxcsr", "i386_mxcsr");
  for (unsigned k = 0; k < n && model_has(dbg_cpu(g->d)->model, FEAT_AVX); k++) {
    snprintf(name, sizeof name, "ymm%uh", k);
    add(g, AVX, name, 16, BY_YMMH, k, "uint128");
  }
}

static void add_avx512(struct gdbstub *g) {
  char name[8];
  unsigned n = g->wide ? 32 : 8;
  for (unsigned k = 0; k < 8; k++) {
    snprintf(name, sizeof name, "k%u", k);
    add_id(g, AVX512, name, 8, name, "uint64");
  }
  for (unsigned k = 0; k < n; k++) {
    snprintf(name, sizeof name, "zmm%uh", k);
    add(g, AVX512, name, 32, BY_ZMMH, k, "v2ui128");
  }
  for (unsigned k = 16; k < n; k++) {
    snprintf(name, sizeof name, "xmm%u", k);
    add(g, AVX512, name, 16, BY_XMM, k, "vec128");
  }
  for (unsigned k = 16; k < n; k++) {
    snprintf(name, sizeof name, "ymm%uh", k);
    add(g, AVX512, name, 16, BY_YMMH, k, "uint128");
  }
}

static void add_segment(struct gdbstub *g, const char *seg, bool base) {
  static const char *const part[3] = {"base", "limit", "attr"};
  for (unsigned k = base ? 0 : 1; k < 3; k++) {
    char name[16], id[16];
    snprintf(name, sizeof name, "%s_%s", seg, part[k]);
    snprintf(id, sizeof id, "%s.%s", seg, part[k]);
    add_id(g, SYSTEM, name, k ? 4 : 8, id, k == 2 ? "segment_attr" : k ? "uint32" : "uint64");
  }
}

static void add_system(struct gdbstub *g) {
  static const struct { const char *name, *id, *type; u8 bytes; } regs[] = {
      {"cr0", "cr0", "x86_cr0", 8}, {"cr2", "cr2", "uint64", 8}, {"cr3", "cr3", "uint64", 8}, {"cr4", "cr4", "x86_cr4", 8},
      {"cr8", "cr8", "uint64", 8}, {"xcr0", "xcr0", "uint64", 8}, {"efer", "EFER", "x86_efer", 8},
      {"dr0", "dr0", "uint64", 8}, {"dr1", "dr1", "uint64", 8}, {"dr2", "dr2", "uint64", 8}, {"dr3", "dr3", "uint64", 8},
      {"dr6", "dr6", "uint64", 8}, {"dr7", "dr7", "uint64", 8},
      {"gdtr_base", "gdtr.base", "uint64", 8}, {"gdtr_limit", "gdtr.limit", "uint32", 4},
      {"idtr_base", "idtr.base", "uint64", 8}, {"idtr_limit", "idtr.limit", "uint32", 4},
      {"ldtr", "ldtr", "uint32", 4}, {"tr", "tr", "uint32", 4},
      {"star", "STAR", "uint64", 8}, {"lstar", "LSTAR", "uint64", 8}, {"cstar", "CSTAR", "uint64", 8},
      {"fmask", "FMASK", "uint64", 8}, {"sysenter_cs", "SYSENTER_CS", "uint64", 8},
      {"sysenter_esp", "SYSENTER_ESP", "uint64", 8}, {"sysenter_eip", "SYSENTER_EIP", "uint64", 8},
      {"kernel_gs_base", "KERNEL_GS_BASE", "uint64", 8},
  };
  static const char *const segs[] = {"cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr"};
  add(g, SYSTEM, "ip", 8, BY_RO, (unsigned)regname_find("rip"), "uint64");
  add_id(g, SYSTEM, "cpl", 4, "cpl", "uint32");
  for (unsigned k = 0; k < ARRAY_SIZE(regs); k++)
    add_id(g, SYSTEM, regs[k].name, regs[k].bytes, regs[k].id, regs[k].type);
  for (unsigned k = 0; k < ARRAY_SIZE(segs); k++) /* of FS and GS a 64-bit description has the bases elsewhere */
    add_segment(g, segs[k], !g->wide || (segs[k][0] != 'f' && segs[k][0] != 'g'));
}

/* ---- the description ---- */

struct bit_row { const char *name; u8 bit; };

static void describe_flags(FILE *f, const char *id, unsigned bytes, const struct bit_row *row, unsigned rows) {
  fprintf(f, "<flags id=\"%s\" size=\"%u\">", id, bytes);
  for (unsigned k = 0; k < rows; k++)
    fprintf(f, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", row[k].name, row[k].bit, row[k].bit);
  fputs("</flags>\n", f);
}
#define FLAGS(f, id, bytes, rows) describe_flags(f, id, bytes, rows, ARRAY_SIZE(rows))

static void describe_eflags(FILE *f) {
  static const struct bit_row rows[] = {
      {"CF", 0}, {"", 1}, {"PF", 2}, {"AF", 4}, {"ZF", 6}, {"SF", 7}, {"TF", 8}, {"IF", 9}, {"DF", 10}, {"OF", 11},
      {"NT", 14}, {"RF", 16}, {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}};
  FLAGS(f, "i386_eflags", 4, rows);
}

static void describe_vec128(FILE *f) {
  static const struct { const char *name, *type; unsigned n; } lanes[] = {
      {"v4_float", "ieee_single", 4}, {"v2_double", "ieee_double", 2}, {"v16_int8", "int8", 16},
      {"v8_int16", "int16", 8}, {"v4_int32", "int32", 4}, {"v2_int64", "int64", 2}};
  for (unsigned k = 0; k < ARRAY_SIZE(lanes); k++)
    fprintf(f, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>\n", lanes[k].name, lanes[k].type, lanes[k].n);
  fputs("<union id=\"vec128\">", f);
  for (unsigned k = 0; k < ARRAY_SIZE(lanes); k++)
    fprintf(f, "<field name=\"%s\" type=\"%s\"/>", lanes[k].name, lanes[k].name);
  fputs("<field name=\"uint128\" type=\"uint128\"/></union>\n", f);
}

static void describe_sse(FILE *f) {
  static const struct bit_row mxcsr[] = {
      {"IE", 0}, {"DE", 1}, {"ZE", 2}, {"OE", 3}, {"UE", 4}, {"PE", 5}, {"DAZ", 6}, {"IM", 7}, {"DM", 8}, {"ZM", 9},
      {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15}};
  describe_vec128(f);
  FLAGS(f, "i386_mxcsr", 4, mxcsr);
}

static void describe_avx512(FILE *f) { /* a type belongs to its feature */
  describe_vec128(f);
  fputs("<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n", f);
}

static void describe_system(FILE *f) {
  static const struct bit_row cr0[] = {{"PE", 0}, {"MP", 1}, {"EM", 2}, {"TS", 3}, {"ET", 4}, {"NE", 5},
                                       {"WP", 16}, {"AM", 18}, {"NW", 29}, {"CD", 30}, {"PG", 31}};
  static const struct bit_row cr4[] = {
      {"VME", 0}, {"PVI", 1}, {"TSD", 2}, {"DE", 3}, {"PSE", 4}, {"PAE", 5}, {"MCE", 6}, {"PGE", 7}, {"PCE", 8},
      {"OSFXSR", 9}, {"OSXMMEXCPT", 10}, {"UMIP", 11}, {"LA57", 12}, {"FSGSBASE", 16}, {"PCIDE", 17}, {"OSXSAVE", 18},
      {"SMEP", 20}, {"SMAP", 21}, {"PKE", 22}};
  static const struct bit_row efer[] = {{"SCE", 0}, {"LME", 8}, {"LMA", 10}, {"NXE", 11}};
  static const struct { const char *name; u8 first, last; } attr[] = {
      {"type", 0, 3}, {"S", 4, 4}, {"DPL", 5, 6}, {"P", 7, 7}, {"AVL", 12, 12},
      {"L", 13, 13}, {"DB", 14, 14}, {"G", 15, 15}, {"unusable", 16, 16}};
  FLAGS(f, "x86_cr0", 8, cr0);
  FLAGS(f, "x86_cr4", 8, cr4);
  FLAGS(f, "x86_efer", 8, efer);
  /* As struct seg has it: the descriptor's bits 40 to 55, and 16 when the selector is NULL. */
  fputs("<struct id=\"segment_attr\" size=\"4\">", f);
  for (unsigned k = 0; k < ARRAY_SIZE(attr); k++)
    fprintf(f, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", attr[k].name, attr[k].first, attr[k].last);
  fputs("</struct>\n", f);
}

static void describe_feature(const struct gdbstub *g, FILE *f, unsigned feature) {
  static void (*const types[FEATURES])(FILE *f) = {
      [CORE] = describe_eflags, [SSE] = describe_sse, [AVX512] = describe_avx512, [SYSTEM] = describe_system};
  fprintf(f, "<feature name=\"%s\">\n", feature_names[feature]);
  if (types[feature]) types[feature](f);
  for (unsigned k = 0; k < g->regs; k++) {
    const struct gdb_reg *r = &g->reg[k];
    if (r->feature != feature) continue;
    bool control = feature == CORE && r->name[0] == 'f' && r->how != BY_SELECTOR;
    fprintf(f, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"%s/>\n", r->name, r->bytes * 8u, r->type,
            feature == SYSTEM ? " group=\"system\" save-restore=\"no\"" : r->how == BY_ST || control ? " group=\"float\"" : "");
  }
  fputs("</feature>\n", f);
}

static bool has_feature(const struct gdbstub *g, unsigned feature) {
  for (unsigned k = 0; k < g->regs; k++)
    if (g->reg[k].feature == feature) return true;
  return false;
}

int gdb_regs_create(struct gdbstub *g) {
  add_core(g);
  add_vectors(g);
  if (model_has(dbg_cpu(g->d)->model, FEAT_AVX512F)) add_avx512(g);
  bool program = !dbg_target(g->d)->machine;
  if (program && g->wide) add(g, LINUX, "orig_rax", 8, BY_CALL, 0, "int64");
  if (program && !g->wide) add(g, LINUX, "orig_eax", 4, BY_CALL, 0, "int32");
  if (g->wide) add_id(g, SEGMENTS, "fs_base", 8, "fs.base", "int64");
  if (g->wide) add_id(g, SEGMENTS, "gs_base", 8, "gs.base", "int64");
  add_system(g);
  FILE *f = open_memstream(&g->xml, &g->xml_n);
  if (!f) return -1;
  fputs("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n", f);
  fprintf(f, "<architecture>%s</architecture>\n", g->wide ? "i386:x86-64" : "i386");
  if (program) fputs("<osabi>GNU/Linux</osabi>\n", f);
  for (unsigned k = 0; k < FEATURES; k++)
    if (has_feature(g, k)) describe_feature(g, f, k);
  fputs("</target>\n", f);
  return fclose(f) || !g->xml ? -1 : 0;
}

/* ---- values ---- */

/* SDM 1 8.1.7 (x87 FPU Tag Word): 0 valid, 1 zero, 2 special, 3 empty. */
static u64 tags(const struct x87 *x) {
  u64 v = 0;
  for (unsigned r = 0; r < 8; r++) {
    unsigned e = x->st[r].se & 0x7fff;
    bool normal = e && e != 0x7fff && x->st[r].m >> 63;
    v |= (u64)(x->empty >> r & 1 ? 3 : normal ? 0 : !e && !x->st[r].m ? 1 : 2) << 2 * r;
  }
  return v;
}

/* The system call that the program is in; -1 else. */
static u64 call_number(struct gdbstub *g) {
  struct dbg_target *t = dbg_target(g->d);
  unsigned number;
  bool i386;
  char text[256];
  u64 at, behind, pc = dbg_pc(g->d);
  for (unsigned k = 0; t->syscall_site && t->syscall && t->syscall_site(t->opaque, k, &at, &behind); k++)
    if ((pc == at || pc == behind) && t->syscall(t->opaque, pc == behind, &number, &i386, text, sizeof text))
      return number;
  return UINT64_MAX;
}

static void get(struct gdbstub *g, const struct gdb_reg *r, u8 to[GDB_WIDEST]) {
  const struct cpu *cpu = dbg_cpu(g->d);
  char name[16];
  unsigned hi;
  u64 v[GDB_WIDEST / 8] = {0};
  switch (r->how) {
    case BY_PC: v[0] = dbg_pc(g->d); break;
    case BY_GPR32: v[0] = cpu->gpr[r->which]; break;
    case BY_SELECTOR: v[0] = cpu->seg[r->which].sel; break;
    case BY_TAGS: v[0] = tags(&cpu->x87); break;
    case BY_CALL: v[0] = call_number(g); break;
    case BY_XMM: memcpy(v, &cpu->vec[r->which].q[0], 16); break;
    case BY_YMMH: memcpy(v, &cpu->vec[r->which].q[2], 16); break;
    case BY_ZMMH: memcpy(v, &cpu->vec[r->which].q[4], 32); break;
    case BY_ST:
      snprintf(name, sizeof name, "st%u", r->which & 7u);
      v[0] = regname_get(cpu, (unsigned)regname_wide(name, &hi));
      v[1] = regname_get(cpu, hi);
      break;
    default: v[0] = regname_get(cpu, r->which);
  }
  memcpy(to, v, sizeof v);
}

static void set_st(struct cpu *cpu, unsigned n, const u64 v[2]) {
  char name[16];
  unsigned hi;
  snprintf(name, sizeof name, "st%u", n & 7);
  int lo = regname_wide(name, &hi);
  if (lo < 0) return;
  regname_set(cpu, (unsigned)lo, v[0]);
  regname_set(cpu, hi, v[1]);
}

static void set_tags(struct cpu *cpu, u64 v) {
  u64 full = 0;
  for (unsigned r = 0; r < 8; r++) full |= (u64)((v >> 2 * r & 3) != 3) << r;
  int id = regname_find("ftw");
  if (id >= 0) regname_set(cpu, (unsigned)id, full);
}

void gdb_set_pc(struct gdbstub *g, u64 addr) {
  struct cpu *cpu = dbg_cpu(g->d);
  u64 base = dbg_pc(g->d) - cpu->rip;
  regname_set(cpu, (unsigned)regname_find("rip"), gdb_address(g, addr) - base);
}

/* As the processor is set between two instructions. False: there can be no such value. */
static bool put(struct gdbstub *g, const struct gdb_reg *r, const u64 v[GDB_WIDEST / 8]) {
  struct cpu *cpu = dbg_cpu(g->d);
  switch (r->how) {
    case BY_PC: gdb_set_pc(g, v[0]); break;
    case BY_GPR32: cpu->gpr[r->which] = (cpu->gpr[r->which] & ~UINT64_C(0xffffffff)) | (u32)v[0]; break;
    case BY_SELECTOR: return !regname_load_segment(cpu, (enum sreg)r->which, (u16)v[0]);
    case BY_TAGS: set_tags(cpu, v[0]); break;
    case BY_ST: set_st(cpu, r->which, v); break;
    case BY_XMM: memcpy(&cpu->vec[r->which].q[0], v, 16); break;
    case BY_YMMH: memcpy(&cpu->vec[r->which].q[2], v, 16); break;
    case BY_ZMMH: memcpy(&cpu->vec[r->which].q[4], v, 32); break;
    case BY_CALL:
    case BY_RO: break;
    default: regname_set(cpu, r->which, v[0]);
  }
  dbg_state_changed(g->d);
  return true;
}

/* What is the same already is not written: gdb sends all registers back with the one that it changed. */
static bool put_bytes(struct gdbstub *g, const struct gdb_reg *r, const u8 *bytes) {
  u8 now[GDB_WIDEST];
  u64 v[GDB_WIDEST / 8] = {0};
  get(g, r, now);
  if (!memcmp(now, bytes, r->bytes)) return true;
  memcpy(v, bytes, r->bytes);
  return put(g, r, v);
}

void gdb_read_all(struct gdbstub *g) {
  u8 v[GDB_WIDEST];
  for (unsigned k = 0; k < g->regs; k++) {
    get(g, &g->reg[k], v);
    gdb_put_hex(g, v, g->reg[k].bytes);
  }
}

void gdb_write_all(struct gdbstub *g, struct gdb_text *t) {
  u8 v[GDB_WIDEST];
  bool good = true;
  unsigned k = 0;
  for (; k < g->regs && gdb_hex_bytes(t, v, g->reg[k].bytes) == g->reg[k].bytes; k++)
    good &= put_bytes(g, &g->reg[k], v);
  if (k < g->regs || gdb_left(t) || !good) gdb_error(g, GDB_E_BAD);
  else gdb_put(g, "OK");
}

void gdb_read_one(struct gdbstub *g, struct gdb_text *t) {
  u8 v[GDB_WIDEST];
  u64 n;
  if (!gdb_hex(t, &n) || n >= g->regs) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  get(g, &g->reg[n], v);
  gdb_put_hex(g, v, g->reg[n].bytes);
}

void gdb_write_one(struct gdbstub *g, struct gdb_text *t) {
  u8 v[GDB_WIDEST];
  u64 n;
  bool good = gdb_hex(t, &n) && n < g->regs && gdb_char(t, '=') &&
              gdb_hex_bytes(t, v, g->reg[n].bytes) == g->reg[n].bytes && !gdb_left(t) &&
              put_bytes(g, &g->reg[n], v);
  if (good) gdb_put(g, "OK");
  else gdb_error(g, GDB_E_BAD);
}

void gdb_put_expedited(struct gdbstub *g) {
  u8 v[GDB_WIDEST];
  for (unsigned k = 0; k < ARRAY_SIZE(g->first_expedited); k++) {
    unsigned n = g->first_expedited[k];
    get(g, &g->reg[n], v);
    gdb_put(g, "%02x:", n);
    gdb_put_hex(g, v, g->reg[n].bytes);
    gdb_put(g, ";");
  }
}
