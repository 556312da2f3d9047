/* KVM as an oracle: a case's state is loaded into a virtual processor, which is stepped. Intel SDM 3C 26.3
 * (Checks on Guest Non-Register State) limits what hardware accepts as a start; KVM without hardware is an
 * instruction emulator, and then this is an opinion of software. https://docs.kernel.org/virt/kvm/api.html */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <signal.h>
#include <unistd.h>

#include "cpu/event.h"
#include "cpu/seg.h"
#include "tests/oracle/image.h"

enum { CPUID_MAX = 256, TABLES_END = 0x10000 };

struct kvm {
  struct oracle oracle;
  int dev, vm, cpu;
  struct kvm_run *run;
  size_t run_size;
  u8 *ram;
  struct kvm_cpuid2 *supported;
  struct cpu_model model; /* of the virtual processor that is there */
  bool have_cpu, software; /* software: an instruction emulator, no VMX */
  struct kvm_sregs2 fresh;
};

/* ---- the virtual machine ---- */

static void drop_cpu(struct kvm *k) {
  if (k->run) munmap(k->run, k->run_size);
  if (k->cpu >= 0) close(k->cpu);
  if (k->vm >= 0) close(k->vm);
  k->run = NULL;
  k->cpu = k->vm = -1;
  k->have_cpu = false;
}

static struct kvm_cpuid_entry2 *leaf_of(struct kvm_cpuid2 *t, u32 leaf, u32 sub) {
  for (u32 n = 0; n < t->nent; n++)
    if (t->entries[n].function == leaf && t->entries[n].index == sub) return &t->entries[n];
  return NULL;
}
static u32 *leaf_reg(struct kvm_cpuid_entry2 *e, unsigned reg) {
  return reg == CPUID_EAX ? &e->eax : reg == CPUID_EBX ? &e->ebx : reg == CPUID_ECX ? &e->ecx : &e->edx;
}

static bool supports(struct kvm *k, unsigned f) {
  const struct feature_row *r = &feature_rows[f];
  struct kvm_cpuid_entry2 *e = leaf_of(k->supported, r->leaf, r->subleaf);
  return e && *leaf_reg(e, r->reg) >> r->bit & 1;
}

static void kvm_restrict(void *opaque, struct cpu_model *m) {
  for (unsigned f = 0; f < FEAT_COUNT; f++)
    if (m->has[f] && !supports(opaque, f)) m->has[f] = false;
}

/* KVM's CPUID without what the model does not have. */
static int set_cpuid(struct kvm *k, const struct cpu_model *m) {
  size_t bytes = sizeof *k->supported + k->supported->nent * sizeof k->supported->entries[0];
  struct kvm_cpuid2 *t = malloc(bytes);
  if (!t) return -1;
  memcpy(t, k->supported, bytes);
  for (unsigned f = 0; f < FEAT_COUNT; f++) {
    const struct feature_row *r = &feature_rows[f];
    struct kvm_cpuid_entry2 *e = leaf_of(t, r->leaf, r->subleaf);
    if (e && !m->has[f]) *leaf_reg(e, r->reg) &= ~(1u << r->bit);
  }
  int got = ioctl(k->cpu, KVM_SET_CPUID2, t);
  free(t);
  return got;
}

/* Deleting the slot makes KVM forget what it derived from page tables that we write behind its back. */
static int map_ram(struct kvm *k, bool again) {
  struct kvm_userspace_memory_region slot = {.userspace_addr = (u64)(uintptr_t)k->ram};
  if (again && ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &slot)) return -1;
  slot.memory_size = VM_RAM;
  return ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &slot);
}

static int new_cpu(struct kvm *k, const struct cpu_model *m, char why[REASON_MAX]) {
  drop_cpu(k);
  k->vm = ioctl(k->dev, KVM_CREATE_VM, 0);
  if (k->vm < 0) return decline(why, "KVM_CREATE_VM: %s", strerror(errno));
  (void)ioctl(k->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
  /* Else what it cannot emulate is #UD above ring 0 */
  struct kvm_enable_cap honest = {.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = {1}};
  if (ioctl(k->vm, KVM_ENABLE_CAP, &honest)) return decline(why, "KVM hides what it cannot emulate");
  if (map_ram(k, false)) return decline(why, "KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
  k->cpu = ioctl(k->vm, KVM_CREATE_VCPU, 0);
  if (k->cpu < 0) return decline(why, "KVM_CREATE_VCPU: %s", strerror(errno));
  k->run_size = (size_t)ioctl(k->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
  void *run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, k->cpu, 0);
  if (run == MAP_FAILED) return decline(why, "mmap of a vCPU: %s", strerror(errno));
  k->run = run;
  if (set_cpuid(k, m)) return decline(why, "KVM_SET_CPUID2: %s", strerror(errno));
  if (ioctl(k->cpu, KVM_GET_SREGS2, &k->fresh)) return decline(why, "KVM_GET_SREGS2: %s", strerror(errno));
  k->model = *m;
  k->have_cpu = true;
  return 0;
}

/* ---- state in ---- */

static struct kvm_segment segment_in(const struct seg *s) {
  return (struct kvm_segment){.base = s->base, .limit = s->limit, .selector = s->sel, .type = s->attr & 15,
                              .present = s->attr >> 7 & 1, .dpl = s->attr >> 5 & 3, .db = s->attr >> 14 & 1,
                              .s = s->attr >> 4 & 1, .l = s->attr >> 13 & 1, .g = s->attr >> 15 & 1,
                              .avl = s->attr >> 12 & 1, .unusable = !!(s->attr & SEG_NULL)};
}
static struct seg segment_out(const struct kvm_segment *s) {
  u32 attr = (u32)s->type | (u32)s->s << 4 | (u32)s->dpl << 5 | (u32)s->present << 7 | (u32)s->avl << 12 |
             (u32)s->l << 13 | (u32)s->db << 14 | (u32)s->g << 15;
  if (s->unusable || !(attr & 0xff)) attr = SEG_NULL;
  return (struct seg){.sel = s->selector, .base = s->base, .limit = s->limit, .attr = attr};
}

static struct kvm_segment *const_segment(struct kvm_sregs2 *r, unsigned s) {
  struct kvm_segment *const all[VS_SEGS] = {&r->es, &r->cs, &r->ss, &r->ds, &r->fs, &r->gs, &r->ldt, &r->tr};
  return all[s];
}

static int sregs_in(struct kvm *k, const struct vstate *st, char why[REASON_MAX]) {
  struct kvm_sregs2 r = k->fresh;
  for (unsigned s = 0; s < VS_SEGS; s++) *const_segment(&r, s) = segment_in(&st->seg[s]);
  /* An unusable SS still says which ring it is: SDM 3C 24.4.1 (Guest Register State) */
  if (r.ss.unusable) r.ss.dpl = st->cpl & 3;
  r.gdt = (struct kvm_dtable){.base = st->gdtr.base, .limit = st->gdtr.limit};
  r.idt = (struct kvm_dtable){.base = st->idtr.base, .limit = st->idtr.limit};
  r.cr0 = st->cr0;
  r.cr2 = st->cr2;
  r.cr3 = st->cr3;
  r.cr4 = st->cr4;
  r.cr8 = st->cr8;
  r.efer = st->msr[MSR_EFER];
  bool pae = (st->cr0 & CR0_PG) && (st->cr4 & CR4_PAE) && !(r.efer & EFER_LMA);
  r.flags = pae ? KVM_SREGS2_FLAGS_PDPTRS_VALID : 0;
  for (unsigned n = 0; n < 4; n++) r.pdptrs[n] = pae ? st->pdpte[n] : 0;
  if (ioctl(k->cpu, KVM_SET_SREGS2, &r))
    return decline(why, "KVM refuses the control and segment registers (KVM_SET_SREGS2)");
  struct kvm_sregs2 back;
  if (ioctl(k->cpu, KVM_GET_SREGS2, &back)) return decline(why, "KVM_GET_SREGS2: %s", strerror(errno));
  if (back.cr0 != r.cr0 || back.cr3 != r.cr3 || back.cr4 != r.cr4 || back.efer != r.efer)
    return decline(why, "KVM changes %s (KVM_SET_SREGS2)", back.cr0 != r.cr0   ? "CR0"
                                                           : back.cr3 != r.cr3 ? "CR3"
                                                           : back.cr4 != r.cr4 ? "CR4"
                                                                               : "EFER");
  return 0;
}

struct msrs {
  struct kvm_msrs head;
  struct kvm_msr_entry entry[HANDED_MSRS];
};

static int msrs_in(struct kvm *k, const struct job *j, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  struct msrs m = {.head.nmsrs = HANDED_MSRS};
  for (unsigned n = 0; n < HANDED_MSRS; n++) {
    u16 slot = handed_msrs[n];
    m.entry[n] = (struct kvm_msr_entry){.index = msr_rows[slot].index, .data = st->msr[slot]};
  }
  if (msrs_handed(j, why)) return -1;
  int got = ioctl(k->cpu, KVM_SET_MSRS, &m);
  return got == HANDED_MSRS ? 0 : decline(why, "KVM refuses an MSR (KVM_SET_MSRS)");
}

/* KVM_SET_FPU leaves XSTATE_BV alone, so that XRSTOR may ignore it. SDM 1 13.4 (XSAVE Area) */
static void fpu_in(const struct vstate *st, struct kvm_xsave *x) {
  u64 w[FPU_WORDS + 1] = {0};
  image_fpu_words(st, w);
  w[1] = st->x87.fip;
  w[2] = st->x87.fdp;
  w[3] |= UINT64_C(0xffff) << 32; /* MXCSR_MASK */
  w[FPU_WORDS] = 3; /* XSTATE_BV: x87 and SSE */
  memset(x, 0, sizeof *x);
  memcpy(x->region, w, sizeof w);
}
static void fpu_out(const struct kvm_xsave *x, struct vstate *st) {
  u64 w[FPU_WORDS];
  memcpy(w, x->region, sizeof w);
  image_fpu_back(st, w, FPU_SEEN_LONG, true);
}

static int regs_in(struct kvm *k, const struct vstate *st, char why[REASON_MAX]) {
  const u64 *g = st->gpr;
  struct kvm_regs r = {.rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5],
                       .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9], .r10 = g[10], .r11 = g[11],
                       .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15], .rip = st->rip,
                       .rflags = st->rflags};
  struct kvm_xsave fpu;
  fpu_in(st, &fpu);
  struct kvm_debugregs d = {.dr6 = st->dr[6], .dr7 = st->dr[7]};
  memcpy(d.db, st->dr, sizeof d.db);
  struct kvm_vcpu_events e;
  memset(&e, 0, sizeof e);
  e.flags = KVM_VCPUEVENT_VALID_SHADOW;
  e.nmi.masked = st->nmi_blocked;
  e.interrupt.shadow = !st->inhibit         ? 0
                       : st->inhibit & INHIBIT_DEBUG ? KVM_X86_SHADOW_INT_MOV_SS
                                                   : KVM_X86_SHADOW_INT_STI;
  struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};
  if (ioctl(k->cpu, KVM_SET_REGS, &r) || ioctl(k->cpu, KVM_SET_XSAVE, &fpu) ||
      ioctl(k->cpu, KVM_SET_DEBUGREGS, &d))
    return decline(why, "KVM refuses registers: %s", strerror(errno));
  (void)ioctl(k->cpu, KVM_SET_MP_STATE, &mp);
  if (ioctl(k->cpu, KVM_SET_VCPU_EVENTS, &e)) return decline(why, "KVM_SET_VCPU_EVENTS: %s", strerror(errno));
  return 0;
}

/* ---- state out ---- */

static int state_out(struct kvm *k, struct vstate *st, char why[REASON_MAX]) {
  struct kvm_regs r;
  struct kvm_sregs2 s;
  struct kvm_xsave fpu;
  struct kvm_debugregs d;
  struct kvm_vcpu_events e;
  struct msrs m = {.head.nmsrs = HANDED_MSRS};
  for (unsigned n = 0; n < HANDED_MSRS; n++) m.entry[n].index = msr_rows[handed_msrs[n]].index;
  if (ioctl(k->cpu, KVM_GET_REGS, &r) || ioctl(k->cpu, KVM_GET_SREGS2, &s) ||
      ioctl(k->cpu, KVM_GET_XSAVE, &fpu) || ioctl(k->cpu, KVM_GET_DEBUGREGS, &d) ||
      ioctl(k->cpu, KVM_GET_VCPU_EVENTS, &e) ||
      ioctl(k->cpu, KVM_GET_MSRS, &m) != HANDED_MSRS)
    return decline(why, "KVM does not give its state: %s", strerror(errno));
  const u64 g[16] = {r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi,
                     r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
  memcpy(st->gpr, g, sizeof g);
  st->rip = r.rip;
  st->rflags = r.rflags;
  for (unsigned n = 0; n < VS_SEGS; n++) st->seg[n] = segment_out(const_segment(&s, n));
  st->gdtr = (struct dtable){.base = s.gdt.base, .limit = s.gdt.limit};
  st->idtr = (struct dtable){.base = s.idt.base, .limit = s.idt.limit};
  st->cr0 = s.cr0;
  st->cr2 = s.cr2;
  st->cr3 = s.cr3;
  st->cr4 = s.cr4;
  st->cr8 = k->run->cr8;
  st->msr[MSR_EFER] = s.efer;
  st->cpl = r.rflags & EF_VM ? 3 : s.cr0 & CR0_PE ? s.cs.selector & 3u : 0;
  if (s.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
    for (unsigned n = 0; n < 4; n++) st->pdpte[n] = s.pdptrs[n];
  for (unsigned n = 0; n < HANDED_MSRS; n++) st->msr[handed_msrs[n]] = m.entry[n].data;
  memcpy(st->dr, d.db, sizeof d.db);
  st->dr[6] = d.dr6;
  st->dr[7] = d.dr7;
  fpu_out(&fpu, st);
  st->nmi_blocked = e.nmi.masked;
  memcpy(st->ram, k->ram, VM_RAM);
  return 0;
}

/* ---- running ---- */

static void on_alarm(int sig) { (void)sig; }

/* One instruction, or a delivery. -1: KVM cannot. */
static int step(struct kvm *k, const struct job *j, struct answer *a, char why[REASON_MAX]) {
  k->run->cr8 = j->plan->start.cr8;
  struct itimerval soon = {.it_value.tv_usec = 200000}, never = {.it_value.tv_sec = 0};
  setitimer(ITIMER_REAL, &soon, NULL);
  int got = ioctl(k->cpu, KVM_RUN, 0), error = errno;
  setitimer(ITIMER_REAL, &never, NULL);
  if (got && error == EINTR) return decline(why, "KVM does not come back from the instruction");
  if (got) return decline(why, "KVM_RUN: %s", strerror(error));
  switch (k->run->exit_reason) {
  case KVM_EXIT_DEBUG: return 0;
  case KVM_EXIT_HLT: a->end = OUT_HALT; return 0;
  case KVM_EXIT_SHUTDOWN: a->end = OUT_SHUTDOWN; return 0;
  case KVM_EXIT_IO: return decline(why, "port I/O leaves the virtual processor");
  case KVM_EXIT_MMIO: return decline(why, "memory outside the machine");
  case KVM_EXIT_INTERNAL_ERROR:
    return decline(why, k->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
                           ? "KVM cannot emulate this" : "KVM has an internal error");
  default: (void)j; return decline(why, "KVM leaves with reason %u", k->run->exit_reason);
  }
}

/* The breakpoint that KVM stops at leaves RF to be judged by nobody; a HLT that a handler begins with is one
 * instruction too far. */
static void settle(struct kvm *k, const struct job *j, struct answer *a, bool stopped) {
  if (stopped) a->st.rflags = (a->st.rflags & ~(u64)EF_RF) | (j->want->rflags & EF_RF);
  u64 at = a->st.rip - 1, la = at + a->st.seg[CS].base;
  bool in_handler = la < VM_RAM && k->ram[la] == 0xf4 && la != VM_CODE;
  if (a->end != OUT_HALT || !in_handler || (j->end == OUT_HALT && a->st.rip == j->want->rip)) return;
  a->st.rip = at;
  a->end = OUT_DONE;
}

static bool tables_differ(const struct kvm *k, const struct vstate *st) {
  return (st->cr0 & CR0_PG) && memcmp(k->ram, st->ram, TABLES_END);
}

static u64 code_base(const struct vstate *st) {
  return (st->msr[MSR_EFER] & EFER_LMA) && seg_is_code64(&st->seg[CS]) ? 0 : st->seg[CS].base;
}

/* What the kernel's software for hosts without VMX and SVM is no opinion on. It runs ring 3 of long mode on
 * the host's processor in the host's ring 3. */
static int beyond_software(const struct job *j, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  if (j->c->mode == VM_V86) return decline(why, "KVM without hardware drops EFLAGS.VM");
  if (mode_long(j->c->mode) && st->cpl == 3)
    return decline(why, "KVM without hardware runs ring 3 of long mode under the host's tables and flags");
  return 0;
}
static int delivered_by_software(const struct job *j, const struct answer *a, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  bool handler = a->end == OUT_SHUTDOWN || a->st.rip - VM_HANDLERS < 256 * 16;
  if (handler && (st->cr0 & CR0_PE) && !mode_long(j->c->mode) && st->seg[SS].base)
    return decline(why, "KVM without hardware delivers to the stack without SS's base");
  if (a->end == OUT_DONE && st->cpl && a->st.rip == vm_handler(VEC_UD))
    return decline(why, "KVM without hardware makes #UD, above ring 0, of what it cannot emulate");
  return 0;
}

static int kvm_case(void *opaque, const struct job *j, struct answer *a, char why[REASON_MAX]) {
  struct kvm *k = opaque;
  const struct vec_plan *p = j->plan;
  if (j->c->vendor != VENDOR_INTEL) return decline(why, "the host's processor is Intel's");
  if (p->interrupt >= 0 || p->nmi) return decline(why, "interrupts are not handed over");
  if ((p->start.dr[7] | DR7_FIXED) != DR7_FIXED)
    return decline(why, "KVM takes the debug registers for the breakpoints that it is stepped with");
  if (p->start.pkru || p->want.pkru) return decline(why, "PKRU is not handed over");
  if (simd_handed(j, why)) return -1;
  if (k->software && beyond_software(j, why)) return -1;
  bool fresh = !k->have_cpu || memcmp(k->model.has, j->model->has, sizeof k->model.has);
  if (fresh && new_cpu(k, j->model, why)) return -1;
  bool forget = tables_differ(k, &p->start);
  memcpy(k->ram, p->start.ram, VM_RAM);
  if (!fresh && forget && map_ram(k, true))
    return decline(why, "KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
  if (image_fpu_wide(&p->start) || image_fpu_wide(&p->want))
    return decline(why, "wide x87 pointers are not handed over");
  if (sregs_in(k, &p->start, why) || msrs_in(k, j, why) || regs_in(k, &p->start, why)) return -1;
  struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP};
  debug.arch.debugreg[0] = j->want->rip + code_base(j->want);
  debug.arch.debugreg[1] = p->next + code_base(&p->start);
  debug.arch.debugreg[7] = 0x40a;

  if (ioctl(k->cpu, KVM_SET_GUEST_DEBUG, &debug))
    return decline(why, "KVM_SET_GUEST_DEBUG: %s", strerror(errno));
  a->end = OUT_DONE;
  for (u64 n = 0; n < (p->steps ? p->steps : 1) && a->end == OUT_DONE; n++)
    if (step(k, j, a, why)) {
      drop_cpu(k);
      return -1;
    }
  bool stopped = k->run->exit_reason == KVM_EXIT_DEBUG;
  int got = state_out(k, &a->st, why);
  settle(k, j, a, stopped);
  if (!got && k->software) got = delivered_by_software(j, a, why);
  if (a->end != OUT_DONE) drop_cpu(k);
  return got;
}

static void kvm_close(void *opaque) {
  struct kvm *k = opaque;
  drop_cpu(k);
  if (k->dev >= 0) close(k->dev);
  if (k->ram && k->ram != MAP_FAILED) munmap(k->ram, VM_RAM);
  free(k->supported);
  free(k);
}

struct oracle *oracle_kvm(char why[REASON_MAX]) {
  struct kvm *k = calloc(1, sizeof *k);
  if (!k) return NULL;
  k->oracle = (struct oracle){.name = "kvm", .opaque = k, .restrict_model = kvm_restrict, .run = kvm_case,
                              .close = kvm_close};
  k->vm = k->cpu = -1;
  k->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  k->ram = mmap(NULL, VM_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  k->supported = calloc(1, sizeof *k->supported + CPUID_MAX * sizeof k->supported->entries[0]);
  if (k->supported) k->supported->nent = CPUID_MAX;
  if (k->dev < 0) decline(why, "/dev/kvm: %s", strerror(errno));
  else if (ioctl(k->dev, KVM_GET_API_VERSION, 0) != KVM_API_VERSION || k->ram == MAP_FAILED || !k->supported)
    decline(why, "/dev/kvm: another version, or out of memory");
  else if (!ioctl(k->dev, KVM_CHECK_EXTENSION, KVM_CAP_SREGS2) ||
           ioctl(k->dev, KVM_GET_SUPPORTED_CPUID, k->supported))
    decline(why, "/dev/kvm: KVM is too old");
  else {
    struct sigaction act = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &act, NULL);
    k->software = access("/sys/module/kvm_intel", F_OK) && access("/sys/module/kvm_amd", F_OK);
    printf("# KVM %s\n",
           k->software ? "without hardware: an instruction emulator" : "on this machine's processor");
    return &k->oracle;
  }
  kvm_close(k);
  return NULL;
}
