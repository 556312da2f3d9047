/* This machine's processor as a decoder. The bytes lie right before an absent page: the fewest that do not end in a
 * page fault there are the instruction's length. With EFLAGS.TF nothing behind it is executed. What must not be tried
 * is left out; a filter of system calls stands behind that. seccomp(2). */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/mman.h>

#include "cpu/decode.h"
#include "tests/encoding/encoding.h"
#include "tests/native/native.h"
#include "tests/native/segments.h"

enum { END = CODE_AT + CODE_BYTES, PF_FETCH = 0x10 };

/* No system call that is made in the arena, or in 32-bit code. */
static int filter_calls(void) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (u32)ARENA, 0, 1),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (u32)ARENA + ARENA_BYTES + 16, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  const struct sock_fprog program = {ARRAY_SIZE(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -1 : 0;
}

int host_open(struct cpu_model *m) {
  *m = *model_default(native_vendor());
  for (unsigned k = 0; k < opcode_row_count; k++) {
    int f = opcode_rows[k].feature;
    if (f >= 0) m->has[f] = native_has((enum feature)f);
  }
  m->has[FEAT_AVX512VL] = native_has(FEAT_AVX512VL);
  if (!segments_install() || native_open()) return -1;
  if (mprotect(native_arena() + CODE_AT, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC)) return -1;
  return filter_calls();
}

/* No address that is made of registers is anybody's; in 16-bit code all are in the arena. */
static void make_state(struct state *s, enum code_mode mode) {
  *s = (struct state){.eflags = 0x302};
  for (unsigned k = 0; k < 16; k++) s->gpr[k] = mode == CODE64 ? UINT64_C(0x1111000060001000) : 0x60001000;
  s->sel[CS] = mode == CODE64 ? USER_CS : mode == CODE32 ? USER32_CS : LDT_SEL(LDT_CODE16);
  s->sel[SS] = s->sel[DS] = s->sel[ES] = mode == CODE16 ? LDT_SEL(LDT_DATA16) : USER_DS;
  s->fx[FX_FCW] = 0x7f, s->fx[FX_FCW + 1] = 0x03;
  s->fx[FX_MXCSR] = 0x80, s->fx[FX_MXCSR + 1] = 0x1f;
}

/* System calls, what belongs to a hypervisor, and what is slow. */
static bool left_out(const struct sample *s) {
  const struct place *at = &s->at;
  if (at->enc != ENC_LEGACY) return false;
  if (at->map == 0) return at->opcode == 0xcd;
  if (at->map != 1) return false;
  return at->opcode == 0x05 || at->opcode == 0x34 || at->opcode == 0xa2 ||
         (at->opcode == 0x01 && (s->modrm >= 0xc0 && s->modrm < 0xe0 && (s->modrm & 0xf8) != 0xd0));
}

/* The first n bytes are there. False: it needs more of them. A tick of the timer is no answer. */
static bool run_some(const struct sample *s, unsigned n, struct outcome *out) {
  struct state st;
  make_state(&st, s->at.mode);
  st.rip = END - n + (s->at.mode == CODE16 ? 0 : ARENA);
  memcpy(native_arena() + END - n, s->bytes, n);
  do native_run(&st, out);
  while (out->stuck);
  return out->vector != VEC_PF || !(out->error & PF_FETCH) || out->cr2 != ARENA + END || out->st.rip != st.rip;
}

bool host_decode(const struct sample *s, const struct verdict *ours, struct verdict *out) {
  struct outcome o;
  unsigned n = ours->valid && ours->len > 1 ? ours->len - 1 : 1;
  *out = (struct verdict){.name = "-", .set = "-"};
  if (left_out(s)) return false;
  while (n <= INSN_MAX_BYTES && !run_some(s, n, &o)) n++;
  snprintf(out->name, sizeof out->name, "%s", ours->name);
  bool too_long = n == INSN_MAX_BYTES && o.vector == VEC_GP; /* or a #GP(0) of its own: at that length it is not told */
  out->valid = n <= INSN_MAX_BYTES && o.vector != VEC_UD && (ours->valid || !too_long);
  out->len = n;
  return true;
}
