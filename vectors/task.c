/* Task-state segments: an image in memory as a setting; as expectations, the registers that an image gives
 * and the state that a switch away saves. SDM 3A 7.2.1 (Task-State Segment (TSS)), 7.6 (16-Bit Task-State
 * Segment (TSS)). */
#include "cpu/seg.h"
#include "vectors/keys.h"
#include "vectors/vec.h"

const char *const task_keys[] = {"link", "cr3", "ip", "flags", "ax", "cx", "dx", "bx", "sp", "bp",
                                 "si",   "di",  "es", "cs",    "ss", "ds", "fs", "gs", "ldt", "t", NULL};

static const struct slot { /* bytes 0: the format does not have it */
  u8 at32, bytes32, at16, bytes16;
} slots[TK_COUNT] = {
    [TK_LINK] = {0, 2, 0, 2},        [TK_CR3] = {0x1c, 4, 0, 0},      [TK_IP] = {0x20, 4, 0x0e, 2},
    [TK_FLAGS] = {0x24, 4, 0x10, 2}, [TK_AX] = {0x28, 4, 0x12, 2},    [TK_AX + 1] = {0x2c, 4, 0x14, 2},
    [TK_AX + 2] = {0x30, 4, 0x16, 2}, [TK_AX + 3] = {0x34, 4, 0x18, 2}, [TK_AX + 4] = {0x38, 4, 0x1a, 2},
    [TK_AX + 5] = {0x3c, 4, 0x1c, 2}, [TK_AX + 6] = {0x40, 4, 0x1e, 2}, [TK_AX + 7] = {0x44, 4, 0x20, 2},
    [TK_ES] = {0x48, 2, 0x22, 2},    [TK_ES + 1] = {0x4c, 2, 0x24, 2}, [TK_ES + 2] = {0x50, 2, 0x26, 2},
    [TK_ES + 3] = {0x54, 2, 0x28, 2}, [TK_ES + 4] = {0x58, 2, 0, 0},   [TK_ES + 5] = {0x5c, 2, 0, 0},
    [TK_LDT] = {0x60, 2, 0x2a, 2},   [TK_TRAP] = {0x64, 2, 0, 0},
};

static unsigned slot_bytes(const struct stmt *s, unsigned key) {
  return s->index == 4 ? slots[key].bytes32 : slots[key].bytes16;
}
static u64 slot_at(const struct stmt *s, unsigned key) {
  return s->index == 4 ? slots[key].at32 : slots[key].at16;
}

static bool given(const struct venv *env, const struct stmt *s, unsigned key, u64 *v) {
  for (u32 k = 0; k < s->args; k++) {
    const struct arg *a = &env->c->file->arg[s->first_arg + k];
    if (a->key != key) continue;
    *v = vec_eval(env, a->value);
    return true;
  }
  return false;
}

/* A task of ring 0 with registers unlike those of the machine: flat, or in the 16-bit segments. */
static u64 image_default(const struct venv *env, const struct stmt *s, unsigned key) {
  bool wide = s->index == 4;
  switch (key) {
  case TK_CR3: return env->st->cr3;
  case TK_IP: return wide ? vm_handler(0x40) : VM_CODE16_OFF + 0x80;
  case TK_FLAGS: return EF_1;
  case TK_AX + RSP: return wide ? VM_STACK - 0x800 : VM_STACK16_OFF - 0x800;
  case TK_ES + CS: return wide ? vm_cs32(0) : vm_cs16(0);
  case TK_ES + SS: return wide ? vm_ds(0) : vm_ss16(0);
  case TK_ES + ES:
  case TK_ES + DS:
  case TK_ES + FS:
  case TK_ES + GS: return wide ? vm_ds(0) : vm_ds16(0);
  case TK_LINK:
  case TK_LDT:
  case TK_TRAP: return 0;
  default: return 0xa3a2a1a0 + (key - TK_AX) * 0x04040404u;
  }
}

static int apply_image(const struct venv *env, const struct stmt *s, struct vstate *st) {
  u64 base = vec_eval(env, s->at), v;
  for (unsigned key = 0; key < TK_COUNT; key++) {
    if (!given(env, s, key, &v)) v = image_default(env, s, key);
    if (slot_bytes(s, key) && !vstate_write(st, base + slot_at(s, key), slot_bytes(s, key), v)) return -1;
  }
  return 0;
}

/* What the image at the start gives; a field that is named is given by the statement. */
static u64 loaded(const struct venv *env, const struct stmt *s, unsigned key) {
  u64 v;
  if (given(env, s, key, &v)) return v;
  return vstate_read(env->st, vec_eval(env, s->at) + slot_at(s, key), slot_bytes(s, key));
}

static void apply_loaded(const struct venv *env, const struct stmt *s, struct vstate *st) {
  u64 high = s->index == 4 ? 0 : 0xffff0000; /* undefined: as this processor has it */
  st->rip = loaded(env, s, TK_IP);
  st->rflags = (loaded(env, s, TK_FLAGS) & EF_VALID) | EF_1;
  for (unsigned r = 0; r < 8; r++) st->gpr[r] = loaded(env, s, TK_AX + r) | high;
  bool v86 = st->rflags & EF_VM;
  for (unsigned r = 0; r < SREG_COUNT; r++) {
    u16 sel = (u16)loaded(env, s, TK_ES + r);
    st->seg[r] = v86                ? vstate_segment8086(sel, true)
                 : sel_is_null(sel) ? (struct seg){.sel = sel, .attr = SEG_NULL}
                                    : vstate_descriptor(env->st, sel);
  }
  u16 ldt = (u16)loaded(env, s, TK_LDT);
  st->seg[VS_LDTR] =
      sel_is_null(ldt) ? (struct seg){.sel = ldt, .attr = SEG_NULL} : vstate_descriptor(env->st, ldt);
  st->cpl = v86 ? 3 : st->seg[CS].sel & 3;
}

/* The state at the start, and `next` as the instruction pointer. The stacks, CR3, the LDT and T are not
 * saved. */
static int apply_saved(const struct venv *env, const struct stmt *s, struct vstate *st) {
  const struct vstate *from = env->st;
  u64 base = vec_eval(env, s->at), v;
  for (unsigned key = TK_IP; key < TK_LDT; key++) {
    if (given(env, s, key, &v)) {
    } else if (key == TK_IP) v = env->next;
    else if (key == TK_FLAGS) v = from->rflags;
    else v = key < TK_ES ? from->gpr[key - TK_AX] : from->seg[key - TK_ES].sel;
    if (slot_bytes(s, key) && !vstate_write(st, base + slot_at(s, key), slot_bytes(s, key), v)) return -1;
  }
  return 0;
}

int vec_apply_task(const struct venv *env, const struct stmt *s, struct vstate *st, struct vec_error *err) {
  if (s->kind == ST_TASK && s->want) {
    apply_loaded(env, s, st);
    return 0;
  }
  if (!(s->kind == ST_TASK ? apply_image(env, s, st) : apply_saved(env, s, st))) return 0;
  vec_case_error(err, env->c->file, s, "the TSS is outside the machine's memory");
  return -1;
}
