/* The model-specific registers: one table, and the rules of RDMSR and WRMSR that depend on the register.
 * SDM 4 2.1 (Architectural MSRs), APM 2 appendix A (MSR Cross-Reference).
 *
 * This layer is data. It reads no processor state but what struct msr_env holds, changes none, and raises
 * nothing: a write gives the reason why it is refused, or the new value and effect bits that the processor applies. */
#ifndef MSR_MSR_H
#define MSR_MSR_H

#include "base/bits.h"
#include "msr/model.h"

/* Why RDMSR or WRMSR of an existing register raises #GP(0), in the order in which it is judged. */
enum msr_refusal {
  MSR_OK,
  MSR_WRITE_ONLY,    /* of a read */
  MSR_READ_ONLY,     /* these, of a write */
  MSR_RESERVED_BITS,
  MSR_NONCANONICAL,
  MSR_MEMORY_TYPE,   /* one that does not exist, in PAT or an MTRR */
  MSR_LME_PAGING,    /* EFER.LME changes while paging is on */
  MSR_APIC_STATE,    /* a local APIC's state does not follow the one it is in */
  MSR_IS_LOCKED,
  MSR_ZERO_ONLY,     /* machine-check registers */
  MSR_REFUSALS
};

/* What a write changes outside the register itself. */
enum msr_effects {
  MSR_EFF_MODE = 1 << 0,    /* processor mode: recompute what derives from EFER or DEBUGCTL */
  MSR_EFF_TLB = 1 << 1,     /* translations or memory types: flush */
  MSR_EFF_SEGBASE = 1 << 2, /* the hidden base of FS or GS */
  MSR_EFF_TSC = 1 << 3,     /* the time-stamp counter's offset */
  MSR_EFF_APIC = 1 << 4,    /* the local APIC */
};

/* How a value written is judged. In every kind, a bit outside `writable | kept` that is not zero is #GP(0),
 * and a bit of `kept` keeps its old value. */
enum msr_kind {
  MSR_PLAIN,         /* the masks alone */
  MSR_CONST,         /* read-only: any write is #GP(0) */
  MSR_COMMAND,       /* write-only: any read is #GP(0), and the value is not kept */
  MSR_CANONICAL,     /* a linear address: canonical, else #GP(0) */
  MSR_SYSENTER_ADDR, /* canonical, or the low 32 bits: RULE_SYSENTER_MSR64 */
  MSR_LOW32,         /* keeps the low 32 bits, ignores the others */
  MSR_AUX32,         /* 32 bits; the others are reserved or ignored: RULE_TSC_AUX_RESERVED */
  MSR_PHYS,          /* physical address: bits from MAXPHYADDR up are reserved */
  MSR_MTRR_BASE,     /* MSR_PHYS, and bits 7:0 a memory type */
  MSR_MTRR_DEF,      /* bits 7:0 a memory type */
  MSR_MTRR_FIX,      /* eight memory types */
  MSR_PAT8,          /* eight memory types, UC- among them */
  MSR_EFER_BITS,     /* bits by feature; LME, LMA and paging */
  MSR_APIC_ADDR,     /* MSR_PHYS, and the state changes of a local APIC */
  MSR_XD_BITS,       /* MISC_ENABLE: some bits by feature */
  MSR_LOCKED,        /* once bit 0 is set: #GP(0) */
  MSR_VM_CR_BITS,    /* once LOCK (bit 3) is set, LOCK and SVMDIS keep their values */
  MSR_MCA_STATUS,    /* zero only, but for HWCR.McStatusWrEn */
  MSR_MCA_ADDR,      /* zero only: RULE_MCA_ADDR_ZERO */
};

/* Where the value lives. */
enum msr_store {
  MSR_IN_ARRAY,   /* in the processor's array, by slot */
  MSR_IN_FS_BASE, /* in the segment caches */
  MSR_IN_GS_BASE,
  MSR_IN_TSC,     /* computed */
};

enum msr_slot {
#define MSR(e, index, name, reset, writable, kept, kind, store, feature, effects, vendors, cite) MSR_##e,
#include "msr/msr.def"
#undef MSR
  MSR_SLOTS
};

struct msr_row {
  u32 index;
  const char *id, *name; /* the enumerator without MSR_; the manual's name */
  u64 reset;             /* the value after RESET */
  u64 writable, kept;    /* see enum msr_kind */
  u8 kind, store, vendors, effects;
  s16 feature;           /* enum feature: without it the register does not exist */
  const char *cite;
};
extern const struct msr_row msr_rows[MSR_SLOTS]; /* by enum msr_slot, which is by ascending index */

static inline enum msr_slot msr_slot_of(const struct msr_row *row) { return (enum msr_slot)(row - msr_rows); }

/* The register at an index of a model's processor, or NULL: RDMSR and WRMSR are #GP(0). */
const struct msr_row *msr_find(const struct cpu_model *m, u32 index);
/* The register by its manual's name ("IA32_EFER") or its enumerator ("EFER"), case ignored; NULL: none. */
const struct msr_row *msr_find_name(const struct cpu_model *m, const char *name);
/* Does a model's processor have the register of this row? */
bool msr_exists(const struct cpu_model *m, const struct msr_row *row);

/* A register's value after RESET, 0 if the processor does not have it; and the whole array.
 * SDM 3A 9.1.1 (Processor State After Reset) */
u64 msr_reset_value(const struct cpu_model *m, const struct msr_row *row);
void msr_reset_all(const struct cpu_model *m, u64 value[MSR_SLOTS]);

/* What the legality of a write depends on beside the value. */
struct msr_env {
  const struct cpu_model *model;
  const u64 *value; /* the processor's array, by slot */
  bool cr0_pg;
};

/* The bits that WRMSR can change on this processor when the register holds `old`. */
u64 msr_writable(const struct msr_env *env, const struct msr_row *row, u64 old);
/* RDMSR of an existing register: MSR_OK or MSR_WRITE_ONLY. */
MUST_CHECK enum msr_refusal msr_check_read(const struct msr_row *row);

struct msr_write {
  u64 value;   /* what the register holds from now on */
  u32 effects; /* MSR_EFF_*: what else changes */
  u64 bits;    /* refused: the bits of the value that are to blame */
};
/* WRMSR of an existing register that holds `old`. Refused: only w->bits is meaningful. */
MUST_CHECK enum msr_refusal msr_check_write(const struct msr_env *env, const struct msr_row *row, u64 old, u64 value,
                                            struct msr_write *w);
/* The reasons, a bit each, for which a write of the register may be refused on this model. */
u32 msr_rules(const struct cpu_model *m, const struct msr_row *row);

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_SVME BIT(12)
#define EFER_LMSLE BIT(13)
#define EFER_FFXSR BIT(14)
#define EFER_TCE BIT(15)
#define EFER_MCOMMIT BIT(17)
#define EFER_INTWB BIT(18)
#define EFER_UAIE BIT(20)
#define EFER_AIBRSE BIT(21)

#define APIC_BASE_BSP BIT(8)
#define APIC_BASE_EXTD BIT(10)
#define APIC_BASE_EN BIT(11)

#define MISC_ENABLE_MONITOR BIT(18)
#define MISC_ENABLE_LIMIT_CPUID BIT(22)
#define MISC_ENABLE_XD_DISABLE BIT(34)

#define DEBUGCTL_BTF BIT(1)
#define HWCR_MCSTATUS_WREN BIT(18)

#endif
