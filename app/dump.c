/* The processor's state as text, for the one case in which the emulator gives up: a shutdown, or its own failure. */
#include <inttypes.h>

#include "app/app.h"

void app_dump_state(FILE *f, struct cpu *cpu) {
  static const char *const gpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
  static const char *const sreg[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  for (unsigned r = 0; r < ARRAY_SIZE(gpr); r++)
    fprintf(f, "%3s %016" PRIx64 "%s", gpr[r], cpu->gpr[r], r % 4 == 3 ? "\n" : "  ");
  fprintf(f, "rip %016" PRIx64 "  rflags %08x  cpl %u\n", cpu_rip(cpu), cpu_eflags(cpu), cpu->cpl);
  for (unsigned s = 0; s < SREG_COUNT; s++)
    fprintf(f, " %s %04x base %016" PRIx64 " limit %08x attributes %05x\n", sreg[s], cpu->seg[s].sel, cpu->seg[s].base,
            cpu->seg[s].limit, cpu->seg[s].attr);
  fprintf(f, " tr %04x base %016" PRIx64 " limit %08x attributes %05x\n", cpu->tr.sel, cpu->tr.base, cpu->tr.limit,
          cpu->tr.attr);
  fprintf(f, "gdtr %016" PRIx64 " limit %04x  idtr %016" PRIx64 " limit %04x\n", cpu->gdtr.base, cpu->gdtr.limit,
          cpu->idtr.base, cpu->idtr.limit);
  fprintf(f, "cr0 %08" PRIx64 "  cr2 %016" PRIx64 "  cr3 %016" PRIx64 "  cr4 %08" PRIx64 "  efer %" PRIx64 "\n", cpu->cr0,
          cpu->cr2, cpu->cr3, cpu->cr4, cpu->msr[MSR_EFER]);
}
