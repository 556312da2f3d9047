/* Virtual-8086 mode: INT n with the redirection bitmap, and the virtual interrupt flag.
 * SDM 3B 20.3.3 (Class 3: Software Interrupt Handling in Virtual-8086 Mode), Table 20-2; 20.4 (Protected-Mode
 * Virtual Interrupts). */
#include "cpu/vm86.h"

#include "cpu/check.h"
#include "cpu/frame.h"

u32 vm86_flags_image(const struct cpu *cpu) {
  u32 ef = cpu_eflags(cpu) & ~(u32)(EF_IF | EF_RF | EF_VM);
  return ef | (cpu->eflags & EF_VIF ? (u32)EF_IF : 0) | (u32)EF_IOPL;
}

u32 vm86_flags_load(struct cpu *cpu, u16 image) {
  const u32 change = EF_STATUS | EF_TF | EF_DF | EF_NT;
  require_ab(cpu, CHK_VME_POP_TF, !(image & EF_TF), 0, image, 0);
  require_ab(cpu, CHK_VME_POP_IF_VIP, !((image & EF_IF) && (cpu->eflags & EF_VIP)), 0, image, cpu->eflags);
  u32 ef = (cpu_eflags(cpu) & ~(change | EF_VIF)) | (image & change);
  return ef | (image & EF_IF ? (u32)EF_VIF : 0);
}

/* The bit for a vector in the 32 bytes below the I/O permission map. SDM 3A Figure 7-2, SDM 3B Figure 20-5 */
static bool redirected_to_idt(struct cpu *cpu, u8 vector) {
  require_ab(cpu, CHK_VME_TSS, seg_type(&cpu->tr) & 8, 0, cpu->tr.attr, 0);
  require_ab(cpu, CHK_VME_TSS_LIMIT, cpu->tr.limit >= 103, 0, cpu->tr.limit, 0);
  u64 la = sys_linear(cpu, cpu->tr.base + 102);
  u32 map = (u32)mem_read_sys(cpu, la, 2);
  rec_tss(cpu, WORD_OTHER, cpu->tr.base, la, map, 2);
  require_ab(cpu, CHK_VME_BITMAP, map >= 32, 0, map, 0);
  u32 at = map - 32 + vector / 8;
  require_ab(cpu, CHK_VME_BITMAP_LIMIT, at <= cpu->tr.limit, 0, at, cpu->tr.limit);
  return mem_read_sys(cpu, sys_linear(cpu, cpu->tr.base + at), 1) >> (vector & 7) & 1;
}

bool vm86_int(struct cpu *cpu, u8 vector, u64 next, u64 *rip) {
  bool iopl3 = cpu_iopl(cpu) == 3;
  if (!(cpu->cr4 & CR4_VME)) {
    require_ab(cpu, CHK_VM86_INT_IOPL, iopl3, 0, cpu_iopl(cpu), 0);
    return false;
  }
  if (redirected_to_idt(cpu, vector)) {
    require_ab(cpu, CHK_VM86_INT_IOPL, iopl3, 0, cpu_iopl(cpu), 0);
    return false;
  }
  u32 entry = mem_read32(cpu, vector * 4u);
  struct stack st = stack_current(cpu);
  struct frame f;
  frame_begin(&f, 2);
  frame_add(&f, WORD_FLAGS, iopl3 ? cpu_eflags(cpu) : vm86_flags_image(cpu));
  frame_add(&f, WORD_CS, cpu->seg[CS].sel);
  frame_add(&f, WORD_IP, next);
  require_ab(cpu, CHK_INT_ROOM, frame_fits(cpu, &st, &f), 0, st.sp, frame_bytes(&f));
  frame_probe(cpu, &st, &f);

  frame_push(cpu, &st, &f);
  cpu->gpr[RSP] = frame_sp(&st, &f);
  seg_load_real(cpu, CS, (u16)(entry >> 16));
  cpu->eflags &= ~(u32)(EF_TF | (iopl3 ? EF_IF : EF_VIF));
  cpu_update_mode(cpu);
  *rip = entry & 0xffff;
  return true;
}
