/* Selectors, descriptors, flags and error codes in words. SDM 3A 3.4.2 (Segment Selectors), 3.4.5.1 (Code- and
 * Data-Segment Descriptor Types), 3.5 (System Descriptor Types), 4.7 (Page-Fault Exceptions), 6.13 (Error Code). */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/regname.h"
#include "cpu/seg.h"
#include "explain/explain.h"

/* Appends to a buffer that may already be full. */
static PRINTF_LIKE(3, 4) void add(char *buf, size_t n, const char *fmt, ...) {
  size_t at = strlen(buf);
  va_list ap;
  va_start(ap, fmt);
  if (at + 1 < n) vsnprintf(buf + at, n - at, fmt, ap);
  va_end(ap);
}

void explain_selector(char *buf, size_t n, u16 sel) {
  if (sel_is_null(sel)) snprintf(buf, n, "NULL");
  else snprintf(buf, n, "%s %04Xh, RPL %u", sel & SEL_TI ? "LDT" : "GDT", sel & 0xfff8u, sel_rpl(sel));
}

static const char *system_name(unsigned type, bool long_mode) {
  static const char *const legacy[16] = {
      "reserved", "16-bit TSS", "LDT", "16-bit TSS (busy)", "16-bit call gate", "task gate", "16-bit interrupt gate",
      "16-bit trap gate", "reserved", "32-bit TSS", "reserved", "32-bit TSS (busy)", "32-bit call gate", "reserved",
      "32-bit interrupt gate", "32-bit trap gate"};
  static const char *const wide[16] = {[2] = "LDT", [9] = "64-bit TSS", [11] = "64-bit TSS (busy)",
                                       [12] = "64-bit call gate", [14] = "64-bit interrupt gate",
                                       [15] = "64-bit trap gate"};
  if (!long_mode) return legacy[type];
  return wide[type] ? wide[type] : "reserved";
}

void explain_type(char *buf, size_t n, u32 attr, bool long_mode) {
  if (attr & SEG_NULL) {
    snprintf(buf, n, "NULL");
  } else if (!(attr & SEG_S)) {
    snprintf(buf, n, "%s", system_name(attr & SEG_TYPE, long_mode));
  } else if (attr & SEG_CODE) {
    snprintf(buf, n, "%scode, %s%s%s", attr & SEG_L ? "64-bit " : attr & SEG_DB ? "32-bit " : "16-bit ",
             attr & SEG_READABLE ? "readable" : "execute-only", attr & SEG_CONFORMING ? ", conforming" : "",
             attr & SEG_ACCESSED ? ", accessed" : "");
  } else {
    snprintf(buf, n, "data, %s%s%s", attr & SEG_WRITABLE ? "writable" : "read-only",
             attr & SEG_DOWN ? ", expand-down" : "", attr & SEG_ACCESSED ? ", accessed" : "");
  }
}

void explain_flags(char *buf, size_t n, u32 rflags) {
  snprintf(buf, n, "%Xh [", rflags);
  if (rflags & EF_IOPL) add(buf, n, "IOPL=%u ", rflags >> EF_IOPL_SHIFT & 3);
  for (unsigned k = FLAG_ROWS; k--;)
    if (rflags & flag_rows[k].mask & ~(u32)EF_IOPL) add(buf, n, "%s ", flag_rows[k].name);
  size_t len = strlen(buf);
  if (len && buf[len - 1] == ' ') buf[len - 1] = 0;
  add(buf, n, "]");
}

void explain_fault_name(char *buf, size_t n, u8 vector, bool has_error, u32 error) {
  const char *m = vector < EXCEPTION_VECTORS ? vector_rows[vector].mnemonic : NULL;
  if (m) snprintf(buf, n, "%s", m);
  else snprintf(buf, n, "vector %02Xh", vector);
  if (has_error) add(buf, n, error ? "(%04Xh)" : "(%X)", error);
}

static void page_error(char *buf, size_t n, u32 e) {
  snprintf(buf, n, "%s by %s, %s", e & PF_I ? "fetch" : e & PF_W ? "write" : "read", e & PF_U ? "user" : "supervisor",
           e & PF_RSVD ? "a reserved bit is set" : e & PF_P ? "a right is missing" : "not present");
  if (e & PF_PK) add(buf, n, ", protection key");
  if (e & PF_SS) add(buf, n, ", shadow stack");
}

void explain_error(char *buf, size_t n, u8 vector, u32 error) {
  if (vector == VEC_PF) {
    page_error(buf, n, error);
    return;
  }
  *buf = 0;
  if (error & 2) add(buf, n, "vector %02Xh in the IDT", error >> 3 & 0x1fff);
  else if (error & 0xfffc) add(buf, n, "selector %04Xh in the %s", error & 0xfff8, error & 4 ? "LDT" : "GDT");
  else add(buf, n, "no selector");
  if (error & 1) add(buf, n, ", while an external event was delivered (EXT)");
}

/* Bits by number: "bits 63:48, 2". */
static void bit_numbers(char *buf, size_t n, u64 v) {
  if (!v) add(buf, n, "no bits");
  else add(buf, n, v & (v - 1) ? "bits" : "bit");
  for (int hi = 63; v; hi--) {
    int lo = hi;
    if (!(v >> hi & 1)) continue;
    while (lo > 0 && (v >> (lo - 1) & 1)) lo--;
    v &= ~MASK(hi, lo);
    add(buf, n, lo < hi - 1 ? " %d:%d" : lo < hi ? " %d, %d" : " %d", hi, lo);
    if (v) add(buf, n, ",");
    hi = lo;
  }
}

/* "0F 38 F0" */
static void opcode(char *buf, size_t n, u64 v) {
  unsigned shift = v >> 16 ? 16 : v >> 8 ? 8 : 0;
  for (;; shift -= 8) {
    add(buf, n, shift ? "%02X " : "%02X", (unsigned)(v >> shift & 255));
    if (!shift) return;
  }
}

static const char *mode_name(u32 mode) {
  if ((mode & MODE_CODE_MASK) == MODE_CODE64) return "64-bit mode";
  if (mode & MODE_LMA) return "compatibility mode";
  if (!(mode & MODE_PE)) return "real mode";
  return mode & MODE_VM ? "virtual-8086 mode" : "protected mode";
}

/* SDM 3A 4.6.2 (Protection Keys): two bits of PKRU to a key. */
static void key(char *buf, size_t n, u64 v) {
  unsigned k = v & 15, pkru = (unsigned)(v >> 32);
  add(buf, n, "key %u, PKRU %08Xh: AD = %u, WD = %u", k, pkru, pkru >> 2 * k & 1, pkru >> (2 * k + 1) & 1);
}

/* One {x} or {x:f} of a row's operands. Returns the template's rest. */
static const char *operand(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s, const char *p) {
  const char *end = strchr(p, '}');
  u64 v = p[1] == 'b' ? s->b : s->a;
  char text[80];
  if (!end) return p + strlen(p);
  switch (p[2] == ':' ? p[3] : 'd') {
    case 'x': add(buf, n, "%" PRIX64 "h", v); break;
    case 'o': opcode(buf, n, v); break;
    case 'b': bit_numbers(buf, n, v); break;
    case 'f': add(buf, n, "%s", v < FEAT_COUNT ? feature_rows[v].name : "none is needed"); break;
    case 'k': key(buf, n, v); break;
    case 'm': add(buf, n, "%s", mode_name((u32)v)); break;
    case 't':
      explain_type(text, sizeof text, (u32)v, cpu_long(cpu));
      add(buf, n, "%s", text);
      break;
    default: add(buf, n, "%" PRIu64, v);
  }
  return end + 1;
}

static void operands(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s, const char *p) {
  while (*p) {
    if (*p == '{') p = operand(buf, n, cpu, s, p);
    else add(buf, n, "%c", *p++);
  }
}

void explain_operands(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *check) {
  *buf = 0;
  operands(buf, n, cpu, check, check_rows[check->id].operands);
}

void explain_raises(char *buf, size_t n, const struct rec_step *check) {
  const char *fault = check_rows[check->id].fault;
  if (check->id >= CHK_PAGE_PRESENT && check->id <= CHK_PAGE_KEY) snprintf(buf, n, "#PF(%04Xh)", (unsigned)check->a);
  else snprintf(buf, n, "%s", fault);
}

/* SDM 3B 17.2.3 (Debug Status Register (DR6)), 17.2.4 (Debug Control Register (DR7)) */
void explain_debug(char *buf, size_t n, const struct cpu *cpu, u64 dr6) {
  static const char *const access[4] = {"execution", "write", "I/O", "read or write"};
  static const struct {
    u32 bit;
    const char *text;
  } others[] = {{DR6_BD, "BD, a debug register accessed with DR7.GD"}, {DR6_BS, "BS, a single step"},
                {DR6_BT, "BT, a task switch to a TSS with T = 1"}};
  *buf = 0;
  for (unsigned k = 0; k < 4; k++)
    if (dr6 >> k & 1)
      add(buf, n, "%sB%u, %s at DR%u = %" PRIX64 "h", *buf ? "; " : "", k, access[cpu->dr[7] >> (16 + 4 * k) & 3], k,
          cpu->dr[k]);
  for (unsigned k = 0; k < ARRAY_SIZE(others); k++)
    if (dr6 & others[k].bit) add(buf, n, "%s%s", *buf ? "; " : "", others[k].text);
}

void explain_rights(char *buf, size_t n, const struct rec_log *log) {
  static const struct {
    u16 id;
    const char *text;
  } rights[] = {{CHK_PAGE_USER, "U/S = 0 of a user access"}, {CHK_PAGE_WRITE, "R/W = 0 of a write"},
                {CHK_PAGE_NX, "XD = 1 of a fetch"},          {CHK_PAGE_SMEP, "SMEP, a supervisor's fetch of a user page"},
                {CHK_PAGE_SMAP, "SMAP, a supervisor's access to a user page"}, {CHK_PAGE_KEY, "the protection key"}};
  *buf = 0;
  for (unsigned k = 0; k < log->n; k++)
    for (unsigned r = 0; r < ARRAY_SIZE(rights); r++)
      if (log->step[k].kind == REC_CHECK && !log->step[k].ok && log->step[k].id == rights[r].id)
        add(buf, n, "%s%s", *buf ? "; " : "", rights[r].text);
}

/* ---- steps ---- */

static const char *word_name(const struct rec_step *s) {
  static const char *const by_size[][3] = {
      [WORD_SP] = {"SP", "ESP", "RSP"}, [WORD_FLAGS] = {"FLAGS", "EFLAGS", "RFLAGS"}, [WORD_IP] = {"IP", "EIP", "RIP"},
      [WORD_CX] = {"CX", "ECX", "RCX"}, [WORD_AX] = {"AX", "EAX", "RAX"}, [WORD_DX] = {"DX", "EDX", "RDX"},
      [WORD_BX] = {"BX", "EBX", "RBX"}, [WORD_BP] = {"BP", "EBP", "RBP"}, [WORD_SI] = {"SI", "ESI", "RSI"},
      [WORD_DI] = {"DI", "EDI", "RDI"}};
  static const char *const plain[] = {
      [WORD_SS] = "SS", [WORD_CS] = "CS", [WORD_ERROR] = "error code", [WORD_ES] = "ES", [WORD_DS] = "DS",
      [WORD_FS] = "FS", [WORD_GS] = "GS", [WORD_PARAM] = "parameter", [WORD_IST] = "IST",
      [WORD_R11] = "R11", [WORD_OTHER] = "word", [WORD_LINK] = "previous task link", [WORD_CR3] = "CR3",
      [WORD_LDT] = "LDT", [WORD_TRAP] = "T"};
  if (s->word < ARRAY_SIZE(by_size) && by_size[s->word][0])
    return by_size[s->word][s->bytes == 2 ? 0 : s->bytes == 4 ? 1 : 2];
  return s->word < ARRAY_SIZE(plain) && plain[s->word] ? plain[s->word] : "word";
}

/* base, limit and attributes: SDM 3A 3.4.5 (Segment Descriptors) */
static void descriptor(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s) {
  struct seg g = desc_segment(s->a, s->id);
  char type[80], sel[40];
  unsigned kind = g.attr & SEG_TYPE;
  bool gate = !(g.attr & SEG_S) && kind != 0 && (kind & 7) >= 4;
  explain_type(type, sizeof type, g.attr, cpu_long(cpu));
  explain_selector(sel, sizeof sel, s->id);
  snprintf(buf, n, "read  %s at %" PRIX64 "h: %016" PRIX64 "h", sel, s->at, s->a);
  if (s->bytes == 16) add(buf, n, " %016" PRIX64 "h", s->b);
  add(buf, n, ": %s, DPL %u, P=%u", type, seg_dpl(&g), seg_present(&g));
  if (gate) {
    add(buf, n, ", to %04Xh:%" PRIX64 "h", (unsigned)bits(s->a, 31, 16),
        bits(s->a, 15, 0) | bits(s->a, 63, 48) << 16 | (s->bytes == 16 ? s->b << 32 : 0));
    return;
  }
  add(buf, n, ", base %" PRIX64 "h, limit %Xh", g.base | (s->bytes == 16 ? s->b << 32 : 0), g.limit);
}

static void gate(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s) {
  unsigned type = (unsigned)bits(s->a, 43, 40);
  u64 off = bits(s->a, 15, 0) | bits(s->a, 63, 48) << 16 | s->b << 32;
  snprintf(buf, n, "read  IDT %02Xh at %" PRIX64 "h: %016" PRIX64 "h", s->id, s->at, s->a);
  if (s->bytes == 16) add(buf, n, " %016" PRIX64 "h", s->b);
  add(buf, n, ": %s, DPL %u, P=%u, to %04Xh:%" PRIX64 "h",
      bits(s->a, 44, 44) ? "no gate (S=1)" : system_name(type, cpu_long(cpu)), (unsigned)bits(s->a, 46, 45),
      (unsigned)bits(s->a, 47, 47), (unsigned)bits(s->a, 31, 16), off);
  if (cpu_long(cpu) && bits(s->a, 34, 32)) add(buf, n, ", IST %u", (unsigned)bits(s->a, 34, 32));
}

/* A citation without the titles of its sections. */
static void short_cite(char *buf, size_t n, const char *cite) {
  unsigned depth = 0;
  *buf = 0;
  for (const char *p = cite; *p; p++) {
    if (*p == ' ' && p[1] == '(') depth++, p++;
    else if (*p == ')' && depth) depth--;
    else if (!depth) add(buf, n, "%c", *p);
  }
}

static void check_line(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s) {
  const struct check_row *row = &check_rows[s->id];
  char found[160], cite[120], raised[40];
  explain_operands(found, sizeof found, cpu, s);
  short_cite(cite, sizeof cite, row->cite);
  snprintf(buf, n, "check %-6s %s", s->ok ? "ok" : "FAILED", row->rule);
  if (*found) add(buf, n, ": %s", found);
  explain_raises(raised, sizeof raised, s);
  if (!s->ok && *raised) add(buf, n, " -> %s", raised);
  add(buf, n, "  [%s; %s]", row->id, cite);
}

const char *explain_kind(const struct rec_step *s) {
  static const char *const kinds[] = {[REC_CHECK] = "check", [REC_DESC] = "descriptor", [REC_GATE] = "gate",
                                      [REC_TSS] = "tss", [REC_MEM] = "memory", [REC_PUSH] = "push", [REC_POP] = "pop",
                                      [REC_MSR] = "msr", [REC_SUM] = "set", [REC_STORE] = "write",
                                      [REC_NOTE] = "note"};
  return kinds[s->kind];
}

void explain_step(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s) {
  static const char *const verb[] = {[REC_TSS] = "read ", [REC_MEM] = "read ", [REC_PUSH] = "push ", [REC_POP] = "pop  "};
  int digits = s->bytes * 2;
  switch ((enum rec_kind)s->kind) {
    case REC_CHECK: check_line(buf, n, cpu, s); break;
    case REC_DESC: descriptor(buf, n, cpu, s); break;
    case REC_GATE: gate(buf, n, cpu, s); break;
    case REC_TSS:
      snprintf(buf, n, "read  TSS+%" PRIX64 "h at %" PRIX64 "h: %s = %0*" PRIX64 "h", s->at - s->b, s->at,
               word_name(s), digits, s->a);
      break;
    case REC_MEM:
    case REC_PUSH:
    case REC_POP:
      snprintf(buf, n, "%s [%" PRIX64 "h] %s = %0*" PRIX64 "h", verb[s->kind], s->at, word_name(s), digits, s->a);
      break;
    case REC_MSR:
      snprintf(buf, n, "msr   %s (%" PRIX32 "h) = %016" PRIX64 "h", msr_rows[s->id].name, msr_rows[s->id].index, s->a);
      break;
    case REC_SUM: snprintf(buf, n, "set   %s = %s = %" PRIX64 "h", word_name(s), s->text, s->a); break;
    case REC_STORE:
      snprintf(buf, n, "write [%" PRIX64 "h] %s = %0*" PRIX64 "h", s->at, s->text, digits, s->a);
      break;
    case REC_NOTE:
      snprintf(buf, n, "note  ");
      operands(buf, n, cpu, s, s->text);
      break;
  }
}
