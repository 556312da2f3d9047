/* What statements do to a state: settings to the initial one, expectations to a copy of it.
 * SDM 3A 3.4.5 (Segment Descriptors), 6.11 (IDT Descriptors), 4.5 (4-Level Paging and 5-Level Paging). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/seg.h"
#include "vectors/expr.h"
#include "vectors/keys.h"
#include "vectors/vec.h"

void vec_case_error(struct vec_error *err, const struct vec_file *f, const struct stmt *s, const char *fmt,
                    ...) {
  va_list ap;
  int n = snprintf(err->text, sizeof err->text, "%.200s:%u:%u: ", f->name, s->line, s->col);
  if (n < 0 || (size_t)n >= sizeof err->text) return;
  va_start(ap, fmt);
  vsnprintf(err->text + n, sizeof err->text - (size_t)n, fmt, ap);
  va_end(ap);
}

static const struct arg *arg_at(const struct venv *env, const struct stmt *s, u32 k) {
  return &env->c->file->arg[s->first_arg + k];
}

static const char *key_name(const struct stmt *s, unsigned key) {
  switch ((enum stmt_kind)s->kind) {
  case ST_SEG: return seg_keys[key];
  case ST_GDT: return gdt_keys[key];
  case ST_IDT: return idt_keys[key];
  default: return page_keys[key];
  }
}

/* A field's value of so many bits, or `otherwise` when the statement does not give it. */
static u64 field(const struct venv *env, const struct stmt *s, unsigned key, unsigned bits, u64 otherwise) {
  for (u32 k = 0; k < s->args; k++)
    if (arg_at(env, s, k)->key == key) return vec_eval_bits(env, arg_at(env, s, k)->value, bits, key_name(s, key));
  return otherwise;
}
static bool has_field(const struct venv *env, const struct stmt *s, unsigned key) {
  for (u32 k = 0; k < s->args; k++)
    if (arg_at(env, s, k)->key == key) return true;
  return false;
}

static int outside(struct vec_error *err, const struct venv *env, const struct stmt *s, u64 at) {
  vec_case_error(err, env->c->file, s, "address %#llx is outside the machine's %u KiB",
                 (unsigned long long)at, VM_RAM / 1024u);
  return -1;
}

static void apply_seg(const struct venv *env, const struct stmt *s, struct vstate *st) {
  struct seg *r = &st->seg[s->index];
  u64 sel = field(env, s, SG_SEL, 64, r->sel) & 0xffff; /* sums wrap */
  u64 dpl = field(env, s, SG_DPL, 2, sel & 3);
  u32 flat = SEG_G | SEG_P | SEG_S | SEG_ACCESSED | SEG_WRITABLE | (u32)(dpl & 3) << SEG_DPL_SHIFT;
  switch ((enum seg_kind)s->sub) {
  case SK_KEEP:
    if (has_field(env, s, SG_DPL)) r->attr = (r->attr & ~SEG_DPL) | (u32)(dpl & 3) << SEG_DPL_SHIFT;
    break;
  case SK_NULL: *r = (struct seg){.attr = SEG_NULL, .base = r->base}; break;
  case SK_LOAD: *r = vstate_descriptor(env->st, (u16)sel); break;
  case SK_CODE64: *r = (struct seg){.attr = flat | SEG_CODE | SEG_L, .limit = 0xffffffff}; break;
  case SK_CODE32: *r = (struct seg){.attr = flat | SEG_CODE | SEG_DB, .limit = 0xffffffff}; break;
  case SK_DATA: *r = (struct seg){.attr = flat | SEG_DB, .limit = 0xffffffff}; break;
  case SK_REAL:
  case SK_V86: *r = vstate_segment8086((u16)sel, s->sub == SK_V86); break;
  }
  r->sel = (u16)sel;
  r->base = field(env, s, SG_BASE, 64, r->base);
  r->limit = (u32)field(env, s, SG_LIMIT, 32, r->limit);
  r->attr = (u32)field(env, s, SG_ATTR, 32, r->attr);
}

/* A call or task gate in a descriptor table; in long mode of 16 bytes, but with the selector as `base` only the
 * first 8 are written. SDM 3A 5.8.3 (Call Gates), 7.2.5 (Task-Gate Descriptor) */
static int apply_gate(const struct venv *env, const struct stmt *s, struct vstate *st, u64 at,
                      struct vec_error *err) {
  bool wide = mode_long(env->c->mode) && !has_field(env, s, GD_BASE);
  u64 usual = field(env, s, GD_BASE, 32, mode_long(env->c->mode) ? VM_CS64_0 : VM_CS32_0);
  u64 sel = field(env, s, GD_SEL, 16, usual), off = field(env, s, GD_OFFSET, wide ? 64 : 32, 0);
  u64 lo = (off & 0xffff) | (sel & 0xffff) << 16 | (field(env, s, GD_COUNT, 8, 0) & 0xff) << 32 |
           (field(env, s, GD_TYPE, 4, 12) & 15) << 40 | (field(env, s, GD_S, 1, 0) & 1) << 44 |
           (field(env, s, GD_DPL, 2, 0) & 3) << 45 | (field(env, s, GD_P, 1, 1) & 1) << 47 |
           (off >> 16 & 0xffff) << 48;
  if (!vstate_write(st, at, 8, lo)) return outside(err, env, s, at);
  return !wide || vstate_write(st, at + 8, 8, off >> 32) ? 0 : outside(err, env, s, at + 8);
}

/* Does the vector say what the LDT is: by a line for LDTR, or by a task that brings one? */
static bool speaks_of_ldtr(const struct vec_case *c) {
  for (u32 k = 0; k < c->v->stmts; k++) {
    const struct stmt *s = &c->file->stmt[c->v->first_stmt + k];
    if (s->want) continue;
    if ((s->kind == ST_SEG && s->index == VS_LDTR) || s->kind == ST_TASK) return true;
    if (s->kind == ST_SET && !strncmp(regname_at(s->index), "ldtr", 4)) return true;
  }
  return false;
}

static int apply_gdt(const struct venv *env, const struct stmt *s, struct vstate *st, struct vec_error *err) {
  static const struct { u8 type, s, l, d, g; } kind[] = {
      [GK_RAW] = {0, 0, 0, 0, 0}, [GK_CODE64] = {0xb, 1, 1, 0, 1}, [GK_CODE32] = {0xb, 1, 0, 1, 1},
      [GK_CODE16] = {0xb, 1, 0, 0, 0}, [GK_DATA] = {3, 1, 0, 1, 1}, [GK_LDT] = {2, 0, 0, 0, 0},
      [GK_TSS] = {9, 0, 0, 0, 0},
  };
  unsigned k = s->sub;
  u64 sel = vec_eval_bits(env, s->at, 16, "selector"), at = (sel & SEL_TI ? VM_LDT : VM_GDT) + (sel & 0xfff8);
  /* A vector that sets the limit may well want to see what lies behind it. */
  if (!(sel & SEL_TI) && (sel | 7) > st->gdtr.limit && st->gdtr.limit == VM_GDT_LIMIT)
    vec_trouble(env, s->at, "selector %#llx is beyond gdtr.limit, %#x: set that first", (unsigned long long)sel,
                (unsigned)VM_GDT_LIMIT);
  if (sel & SEL_TI && !speaks_of_ldtr(env->c))
    vec_trouble(env, s->at, "no LDT is loaded: LDTR is NULL at the start, and no 'seg ldtr' says otherwise");
  if (k == GK_GATE) return apply_gate(env, s, st, at, err);
  u64 base = field(env, s, GD_BASE, 32, k == GK_TSS ? VM_TSS : k == GK_LDT ? VM_LDT : 0);
  u64 limit = field(env, s, GD_LIMIT, 20,
                    k == GK_TSS   ? VM_TSS_LIMIT
                    : k == GK_LDT ? 0xff
                    : kind[k].g   ? 0xfffff
                                  : 0xffff);
  u64 d = (limit & 0xffff) | (base & 0xffffff) << 16 | (field(env, s, GD_TYPE, 4, kind[k].type) & 15) << 40 |
          (field(env, s, GD_S, 1, kind[k].s) & 1) << 44 | (field(env, s, GD_DPL, 2, 0) & 3) << 45 |
          (field(env, s, GD_P, 1, 1) & 1) << 47 | (limit >> 16 & 15) << 48 |
          (field(env, s, GD_AVL, 1, 0) & 1) << 52 | (field(env, s, GD_L, 1, kind[k].l) & 1) << 53 |
          (field(env, s, GD_D, 1, kind[k].d) & 1) << 54 | (field(env, s, GD_G, 1, kind[k].g) & 1) << 55 |
          (base >> 24 & 0xff) << 56;
  if (k == GK_RAW) d = field(env, s, GD_RAW, 64, 0);
  return vstate_write(st, at, 8, d) ? 0 : outside(err, env, s, at);
}

/* A field that the mode's gates have not. */
static void no_such_field(const struct venv *env, const struct stmt *s, unsigned key) {
  for (u32 k = 0; k < s->args; k++) {
    const struct arg *a = arg_at(env, s, k);
    if (a->key == key && vec_eval(env, a->value))
      vec_trouble(env, a->value, "mode %s has no %s in a gate", vec_mode_name(env->c->mode), key_name(s, key));
  }
}

static void apply_idt(const struct venv *env, const struct stmt *s, struct vstate *st) {
  static const u8 type[] = {[IK_INTERRUPT] = 14, [IK_TRAP] = 15, [IK_INTERRUPT16] = 6, [IK_TRAP16] = 7,
                            [IK_TASK] = 5, [IK_CALLGATE] = 12, [IK_GATE] = 14};
  unsigned vec = (unsigned)vec_eval_bits(env, s->at, 8, "vector");
  enum vec_mode mode = env->c->mode;
  bool real = mode == VM_REAL;
  u64 sel = field(env, s, ID_SEL, 16, real ? VM_HANDLERS >> 4 : mode_long(mode) ? VM_CS64_0 : VM_CS32_0);
  u64 off = field(env, s, ID_OFFSET, real ? 16 : mode_long(mode) ? 64 : 32, real ? vec * 16 : vm_handler(vec));
  if (!mode_long(mode)) no_such_field(env, s, ID_IST);
  for (unsigned key = ID_P; real && key <= ID_S; key++) no_such_field(env, s, key);
  if (real) no_such_field(env, s, ID_DPL);
  u64 lo = (off & 0xffff) | (sel & 0xffff) << 16 | (field(env, s, ID_IST, 3, 0) & 7) << 32 |
           (field(env, s, ID_TYPE, 4, type[s->sub]) & 15) << 40 | (field(env, s, ID_S, 1, 0) & 1) << 44 |
           (field(env, s, ID_DPL, 2, 0) & 3) << 45 | (field(env, s, ID_P, 1, 1) & 1) << 47 |
           (off >> 16 & 0xffff) << 48;
  if (real) lo = (off & 0xffff) | (sel & 0xffff) << 16;
  vstate_gate(st, mode, vec, lo, off >> 32);
}

static int apply_page(const struct venv *env, const struct stmt *s, struct vstate *st,
                      struct vec_error *err) {
  static const u64 bit[] = {
      [PG_P] = PTE_P, [PG_RW] = PTE_RW, [PG_US] = PTE_US, [PG_A] = PTE_A, [PG_D] = PTE_D, [PG_NX] = PTE_NX};
  u64 at = vec_eval(env, s->at), where = VM_PT + (at >> PAGE_SHIFT) * 8;
  if (at >= VM_RAM) return outside(err, env, s, at);
  if (!mode_long(env->c->mode)) {
    vec_case_error(err, env->c->file, s, "mode %s has no page tables yet", vec_mode_name(env->c->mode));
    return -1;
  }
  u64 e = vstate_read(st, where, 8);
  for (unsigned k = 0; k < ARRAY_SIZE(bit); k++)
    if (has_field(env, s, k)) e = field(env, s, k, 1, 0) ? e | bit[k] : e & ~bit[k];
  return vstate_write(st, where, 8, e) ? 0 : outside(err, env, s, where);
}

/* Words below the linear address TOP, the first the highest, and the stack pointer at the last. 64-bit code
 * ignores the base of SS. */
static int apply_frame(const struct venv *env, const struct stmt *s, struct vstate *st,
                       struct vec_error *err) {
  u64 at = vec_eval(env, s->at);
  for (u32 k = 0; k < s->args; k++) {
    at -= s->index;
    if (!vstate_write(st, at, s->index, vec_eval(env, arg_at(env, s, k)->value)))
      return outside(err, env, s, at);
  }
  bool code64 = (st->msr[MSR_EFER] & EFER_LMA) && (st->seg[CS].attr & SEG_L);
  st->gpr[RSP] = at - (code64 ? 0 : st->seg[SS].base);
  return 0;
}

static void apply_flags(const struct venv *env, const struct stmt *s, struct vstate *st) {
  if (s->value != VEC_NONE)
    st->rflags = (st->rflags & ~(u64)EF_IOPL) | (vec_eval(env, s->value) & 3) << EF_IOPL_SHIFT;
  else st->rflags = s->set ? st->rflags | s->mask : st->rflags & ~(u64)s->mask;
}

static bool tss_has(enum vec_mode mode, const struct tss_field *f) {
  bool in_both = !strcmp(f->name, "iomap"), in_long = f->size == 8;
  return in_both || in_long == mode_long(mode);
}

int vec_apply(const struct venv *env, const struct stmt *s, struct vstate *st, struct vec_error *err) {
  u64 v, at;
  switch ((enum stmt_kind)s->kind) {
  case ST_SET:
    vstate_set(st, s->index, expr_binary((enum expr_op)s->op, vstate_get(st, s->index), vec_eval(env, s->value)));
    return 0;
  case ST_MEM:
  case ST_TSS:
    at = s->kind == ST_MEM ? vec_eval(env, s->at) : VM_TSS + (u64)tss_fields[s->index].offset;
    if (s->kind == ST_TSS && !tss_has(env->c->mode, &tss_fields[s->index])) {
      vec_case_error(err, env->c->file, s, "the TSS of mode %s has no %s", vec_mode_name(env->c->mode),
                     tss_fields[s->index].name);
      return -1;
    }
    unsigned size = s->kind == ST_MEM ? s->index : tss_fields[s->index].size;
    v = expr_binary((enum expr_op)s->op, vstate_read(st, at, size), vec_eval(env, s->value));
    return vstate_write(st, at, size, v) ? 0 : outside(err, env, s, at);
  case ST_FLAGS: apply_flags(env, s, st); return 0;
  case ST_SEG: apply_seg(env, s, st); return 0;
  case ST_GDT: return apply_gdt(env, s, st, err);
  case ST_IDT: apply_idt(env, s, st); return 0;
  case ST_PAGE: return apply_page(env, s, st, err);
  case ST_FRAME: return apply_frame(env, s, st, err);
  case ST_TASK:
  case ST_SAVED: return vec_apply_task(env, s, st, err);
  default: return 0;
  }
}

int vec_asm_text(const struct venv *env, const struct stmt *s, char *out, size_t n) {
  size_t at = 0;
  u32 arg = 0;
  for (const char *p = s->text; *p; p++) {
    if (at + 24 > n) return -1;
    if (*p != '{') {
      out[at++] = *p;
      continue;
    }
    if (arg == s->args) return -1;
    at += (size_t)snprintf(out + at, n - at, "%#llx",
                           (unsigned long long)vec_eval(env, arg_at(env, s, arg)->value));
    arg++;
    while (*p && *p != '}') p++;
    if (!*p) return -1;
  }
  out[at] = 0;
  return 0;
}
