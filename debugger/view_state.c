/* General registers, flags and modes as text and JSON. SDM 1 3.4 (Basic Program Execution Registers), SDM 3A 2.2
 * (Modes of Operation), 4.1.1 (Four Paging Modes). */
#include <string.h>

#include "debugger/view_fields.h"

/* ---- registers ---- */

static const char *const gpr64[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static const u8 gpr_number[] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15};

/* One register; JSON has its 64-bit name and value in every mode, text those of the mode. */
static void show_gpr(const struct view *v, unsigned k) {
  const struct cpu *cpu = v->cpu;
  unsigned r = gpr_number[k];
  bool wide = cpu_code64(cpu);
  u64 value = cpu->gpr[r], shown = wide ? value : (u32)value, old = v->before ? v->before->gpr[r] : value;
  out_open(v->out, gpr64[k]);
  out_changed(v->out, value != old);
  if (wide) out_text(v->out, "%-3s %016llx", gpr64[k], (unsigned long long)shown);
  else out_text(v->out, "e%s %08llx", gpr64[k] + 1, (unsigned long long)shown);
  out_hex(v->out, "value", value, NULL);
  out_close(v->out);
  out_text(v->out, k % 4 == 3 ? "\n" : " ");
}

static void show_rip(const struct view *v) {
  struct cpu *cpu = v->cpu;
  u64 rip = cpu_rip(cpu);
  bool wide = cpu_code64(cpu);
  out_open(v->out, "rip");
  out_changed(v->out, v->before && v->before->rip != rip);
  out_text(v->out, "%s %0*llx", wide ? "rip" : "eip", view_digits(cpu), (unsigned long long)rip);
  out_hex(v->out, "value", rip, NULL);
  view_name(v, view_code(cpu, rip));
  out_close(v->out);
  out_text(v->out, "\n");
}

static void show_rflags(const struct view *v) {
  u32 flags = cpu_eflags(v->cpu);
  char words[160];
  view_flags_words(words, sizeof words, flags);
  out_open(v->out, "rflags");
  out_changed(v->out, v->before && cpu_eflags(v->before) != flags);
  out_text(v->out, "%s %08x %s", cpu_code64(v->cpu) ? "rflags" : "eflags", flags, words);
  out_hex(v->out, "value", flags, NULL);
  out_str(v->out, "set", words, NULL);
  out_close(v->out);
  out_text(v->out, "\n");
}

void view_registers(const struct view *v) {
  struct cpu *cpu = v->cpu;
  unsigned bits_, count = cpu_code64(cpu) ? 16 : 8;
  const char *mode = view_mode_name(cpu, &bits_);
  out_begin(v->out, "registers");
  out_open(v->out, "registers");
  for (unsigned k = 0; k < (out_json(v->out) ? 16 : count); k++) show_gpr(v, k);
  show_rip(v);
  show_rflags(v);
  out_close(v->out);
  out_open(v->out, "cpl");
  out_changed(v->out, v->before && v->before->cpl != cpu->cpl);
  out_num(v->out, "value", cpu->cpl, "ring %llu");
  out_close(v->out);
  out_num(v->out, "code_bits", bits_, NULL);
  out_str(v->out, "mode", mode, ", %s");
  out_hex(v->out, "cs", cpu->seg[CS].sel, ", cs 0x%04llx");
  out_hex(v->out, "ss", cpu->seg[SS].sel, ", ss 0x%04llx\n");
  out_end(v->out);
}

/* ---- flags ---- */

static u64 flag_value(const struct field *f, u32 flags) { return bits(flags, f->hi, f->lo); }

void view_flags(const struct view *v) {
  u32 flags = cpu_eflags(v->cpu), old = v->before ? cpu_eflags(v->before) : flags;
  char words[160];
  const struct field *f;
  view_flags_words(words, sizeof words, flags);
  out_begin(v->out, "flags");
  out_hex(v->out, "rflags", flags, " rflags 0x%08llx");
  out_str(v->out, "set", words, " %s\n");
  out_open_list(v->out, "flags");
  for (unsigned n = 0; (f = field_at(F_RFLAGS, n)); n++) {
    out_open(v->out, NULL);
    out_changed(v->out, flag_value(f, flags) != flag_value(f, old));
    out_str(v->out, "flag", f->name, "%-5s");
    out_num(v->out, "value", flag_value(f, flags), "%llu");
    out_num(v->out, "bit", f->lo, "  bit %2llu");
    out_str(v->out, "meaning", f->meaning, "  %s");
    out_close(v->out);
    out_text(v->out, "\n");
  }
  out_close(v->out);
  out_end(v->out);
}

/* ---- modes ---- */

static void show_paging(const struct view *v) {
  static const char *const names[] = {"off", "", "32-bit", "PAE", "4-level", "5-level"};
  const struct cpu *cpu = v->cpu;
  unsigned levels = cpu->mmu.levels <= 5 ? cpu->mmu.levels : 0;
  static const struct { u64 bit; const char *name; } protections[] = {
      {CR4_SMEP, "SMEP"}, {CR4_SMAP, "SMAP"}, {CR4_PGE, "PGE"}, {CR4_PKE, "PKE"}, {CR4_PCIDE, "PCIDE"}};
  out_open(v->out, "paging");
  out_str(v->out, "mode", names[levels], " paging %s");
  out_num(v->out, "levels", levels, NULL);
  if (levels) {
    bool more = cpu->mmu.wp || (cpu->mmu.nxe && levels > 2) || (levels == 2 && cpu->mmu.pse);
    for (unsigned k = 0; k < ARRAY_SIZE(protections); k++) more |= (cpu->cr4 & protections[k].bit) != 0;
    out_hex(v->out, "cr3", cpu->cr3, more ? ", cr3 0x%llx," : ", cr3 0x%llx");
    out_bool(v->out, "wp", cpu->mmu.wp, " WP");
    out_bool(v->out, "nxe", cpu->mmu.nxe && levels > 2, " NXE");
    if (levels == 2) out_bool(v->out, "pse", cpu->mmu.pse, " PSE");
    for (unsigned k = 0; k < ARRAY_SIZE(protections); k++)
      if (cpu->cr4 & protections[k].bit) out_bool(v->out, protections[k].name, true, "");
    for (unsigned k = 0; k < ARRAY_SIZE(protections); k++)
      if (cpu->cr4 & protections[k].bit) out_text(v->out, " %s", protections[k].name);
  }
  out_close(v->out);
  out_text(v->out, "\n");
}

/* What lets external interrupts and single steps in, or holds them off. */
static void show_events(const struct view *v) {
  const struct cpu *cpu = v->cpu;
  const char *why = !(cpu->eflags & EF_IF) ? "held off: IF = 0"
                    : cpu->inhibit & INHIBIT_DEBUG ? "held off for one instruction by MOV SS or POP SS"
                    : cpu->inhibit & INHIBIT_INT ? "held off for one instruction by STI" : "let in";
  out_str(v->out, "interrupts", why, " interrupts %s");
  out_bool(v->out, "nmi_blocked", cpu->nmi_blocked, ", NMIs blocked up to IRET");
  out_bool(v->out, "intr", cpu->pending & PENDING_INTR, ", INTR is asserted");
  out_bool(v->out, "nmi", cpu->pending & PENDING_NMI, ", an NMI waits");
  out_bool(v->out, "single_step", cpu->eflags & EF_TF, ", TF: single steps");
  out_text(v->out, "\n");
  out_bool(v->out, "halted", cpu->halted, " halted\n");
  out_bool(v->out, "shutdown", cpu->shutdown, " shut down");
  if (cpu->shutdown && cpu->shutdown_reason) out_str(v->out, "reason", cpu->shutdown_reason, ": %s");
  if (cpu->shutdown) out_text(v->out, "\n");
}

void view_mode(const struct view *v) {
  const struct cpu *cpu = v->cpu;
  unsigned code;
  const char *mode = view_mode_name(cpu, &code);
  unsigned stack = code == 64 ? 64 : cpu->mode & MODE_STACK32 ? 32 : 16;
  out_begin(v->out, "mode");
  out_changed(v->out, v->before && (view_mode_name(v->before, NULL) != mode || v->before->cpl != cpu->cpl));
  out_str(v->out, "mode", mode, "%s");
  out_num(v->out, "cpl", cpu->cpl, ", ring %llu");
  out_num(v->out, "iopl", cpu_iopl(cpu), ", IOPL %llu");
  out_num(v->out, "code_bits", code, ", %llu-bit code");
  out_num(v->out, "stack_bits", stack, ", %llu-bit stack pointer");
  out_text(v->out, "\n CR0.PE = %u, EFLAGS.VM = %u, EFER.LMA = %u, CS.L = %u, CS.D = %u, SS.B = %u\n",
           !!(cpu->cr0 & CR0_PE), !!(cpu->eflags & EF_VM), !!(cpu->msr[MSR_EFER] & EFER_LMA),
           !!(cpu->seg[CS].attr & SEG_L), !!(cpu->seg[CS].attr & SEG_DB), !!(cpu->seg[SS].attr & SEG_DB));
  out_str(v->out, "vendor", vendor_name(cpu->model->vendor), NULL);
  show_paging(v);
  show_events(v);
  out_end(v->out);
}
