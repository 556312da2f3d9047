/* The monitor of the oracle's bootable image: 32-bit code above 16 MiB that reads cases from the disk, gives
 * each its machine, enters it, and prints what came back on port E9h. docs/conformance.md, "Second opinions";
 * ATA-1 8 (PIO). */
#include "tests/oracle/monitor.h"

#include <stdbool.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;

enum { SHADOW = 0x1100000, BASES = 0x1400000, CHUNK = 64 };

extern u64 in[S_ALL], out[S_ALL], in_fpu[FPU_WORDS], out_fpu[FPU_WORDS], out_fpu_long[FPU_WORDS];
extern u8 in_gdtr[10], in_idtr[10], out_gdtr[10], out_idtr[10], own_gdtr[10], left_by, tables[0x20000];
extern u32 in_far[2], in_esp, entry_stack;
void enter(u32 how);
void monitor(void);
void *memcpy(void *to, const void *from, u32 n);
void *memset(void *to, int v, u32 n);

/* ---- ports ---- */

static void outb(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static u8 inb(u16 port) {
  u8 v;
  __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
  return v;
}

static void put(const char *s) {
  while (*s) outb(0xe9, (u8)*s++);
}
static void put_hex(u64 v) {
  char text[20];
  u32 n = sizeof text;
  text[--n] = 0;
  do text[--n] = "0123456789abcdef"[v & 15];
  while (v >>= 4);
  outb(0xe9, ' ');
  put(text + n);
}

void *memcpy(void *to, const void *from, u32 n) {
  void *t = to;
  __asm__ volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(n) : : "memory");
  return to;
}
void *memset(void *to, int v, u32 n) {
  void *t = to;
  __asm__ volatile("rep stosb" : "+D"(t), "+c"(n) : "a"(v) : "memory");
  return to;
}

/* ---- the disk ---- */

static void disk_wait(void) {
  while (inb(0x1f7) & 0x80) {}
  while (!(inb(0x1f7) & 8)) {}
}
static void disk_read(u32 lba, u32 sectors, void *to) {
  outb(0x1f6, (u8)(0xe0 | (lba >> 24 & 15)));
  outb(0x1f2, (u8)sectors);
  outb(0x1f3, (u8)lba);
  outb(0x1f4, (u8)(lba >> 8));
  outb(0x1f5, (u8)(lba >> 16));
  outb(0x1f7, 0x20);
  while (sectors--) {
    u32 words = SECTOR / 2;
    for (u32 k = 0; k < 4; k++) (void)inb(0x3f6);
    disk_wait();
    __asm__ volatile("rep insw" : "+D"(to), "+c"(words) : "d"(0x1f0) : "memory");
  }
}

static u8 chunk[CHUNK * SECTOR];
static u32 chunk_lba, chunk_at;
static void stream_begin(u32 lba, u32 at) {
  chunk_lba = lba + at / sizeof chunk * CHUNK;
  chunk_at = at % sizeof chunk;
  disk_read(chunk_lba, CHUNK, chunk);
}
static void stream(void *to, u32 n) {
  for (u8 *p = to; n; n--) {
    if (chunk_at == sizeof chunk) {
      chunk_lba += CHUNK;
      chunk_at = 0;
      disk_read(chunk_lba, CHUNK, chunk);
    }
    *p++ = chunk[chunk_at++];
  }
}

/* ---- one case ---- */

static void wrmsr(u32 index, u64 v) {
  __asm__ volatile("wrmsr" : : "c"(index), "a"((u32)v), "d"((u32)(v >> 32)));
}
static u64 rdmsr(u32 index) {
  u32 low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return (u64)high << 32 | low;
}

static const u32 msr_index[S_MSRS] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
                                      0x174,      0x175,      0x176,      0xc0000102};

static void table_register(u8 *r, u64 base, u64 limit) {
  *(u16 *)r = (u16)limit;
  *(u64 *)(r + 2) = base;
}

/* The place of a selector's descriptor in the monitor's tables. */
static u64 *slot(u64 sel) { return (u64 *)(tables + (sel & 4 ? 0x10000 : 0) + (sel & 0xfff8)); }

static void own_tables(void) {
  *slot(MON_CS32) = 0x00cf9b000000ffff;
  *slot(MON_DS) = 0x00cf93000000ffff;
  *slot(MON_CS64) = 0x00af9b000000ffff;
  /* A local table for selectors with TI */
  u64 local = (u32)tables + 0x10000;
  *slot(0xffd8) = 0x0000820000000000 | 0xffff | (local & 0xffffff) << 16 | local >> 24 << 56;
  table_register(own_gdtr, (u32)tables, 0xffff);
  __asm__ volatile("lgdt %0" : : "m"(own_gdtr));
  __asm__ volatile("lldt %w0" : : "r"(0xffd8));
}

/* The descriptors of the case before. */
static void clear_slots(void) {
  static u16 used[8];
  for (u32 k = 0; k < 8; k++) {
    *slot(used[k]) = 0;
    used[k] = (u16)in[S_SEG + k];
  }
}

static void load_registers(u32 how) {
  for (u32 k = 0; k < S_MSRS; k++) wrmsr(msr_index[k], in[S_MSR + k]);
  wrmsr(0xc0000080, in[S_EFER] & ~0x400ull);
  __asm__ volatile("mov %0, %%cr2" : : "r"((u32)in[S_CR2]));
  __asm__ volatile("mov %0, %%dr0" : : "r"((u32)in[S_DR]));
  __asm__ volatile("mov %0, %%dr1" : : "r"((u32)in[S_DR + 1]));
  __asm__ volatile("mov %0, %%dr2" : : "r"((u32)in[S_DR + 2]));
  __asm__ volatile("mov %0, %%dr3" : : "r"((u32)in[S_DR + 3]));
  __asm__ volatile("mov %0, %%dr6" : : "r"((u32)in[S_DR + 4]));
  clear_slots();
  own_tables();
  if (!(how & ENTER_V86)) {
    *slot(in[S_SEG + 4]) = in[S_DESC + 4];
    __asm__ volatile("mov %w0, %%fs" : : "r"((u32)in[S_SEG + 4]));
    *slot(in[S_SEG + 5]) = in[S_DESC + 5];
    __asm__ volatile("mov %w0, %%gs" : : "r"((u32)in[S_SEG + 5]));
  }
  *slot(in[S_SEG + 7]) = in[S_DESC + 7];
  __asm__ volatile("ltr %w0" : : "r"((u32)in[S_SEG + 7]));
  *slot(in[S_SEG]) = in[S_DESC];
  *slot(in[S_SEG + 3]) = in[S_DESC + 3];
}

/* A stack segment in which entry_stack has an offset with the upper half of the case's ESP. */
static void entry_segment(void) {
  in_esp = ((u32)in[4] & 0xffff0000) | 0x8000;
  u64 base = (u32)((u32)&entry_stack - in_esp);
  *slot(MON_SS) = 0x00cf93000000ffff | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

/* The LDT last: in[]'s segments may be in the monitor's. */
static void load_ldt(void) {
  u64 sel = in[S_SEG + 6] & 0xffff;
  if (sel & 0xfffc) *slot(sel) = in[S_DESC + 6];
  __asm__ volatile("lldt %w0" : : "r"((u32)sel));
}

static void read_registers(void) {
  for (u32 k = 0; k < S_MSRS; k++) out[S_MSR + k] = rdmsr(msr_index[k]);
  u32 v;
  __asm__ volatile("mov %%dr0, %0" : "=r"(v)); out[S_DR] = v;
  __asm__ volatile("mov %%dr1, %0" : "=r"(v)); out[S_DR + 1] = v;
  __asm__ volatile("mov %%dr2, %0" : "=r"(v)); out[S_DR + 2] = v;
  __asm__ volatile("mov %%dr3, %0" : "=r"(v)); out[S_DR + 3] = v;
  __asm__ volatile("mov %%dr6, %0" : "=r"(v)); out[S_DR + 4] = v;
  out[S_GDTLIMIT] = *(u16 *)out_gdtr;
  out[S_GDTBASE] = *(u64 *)(out_gdtr + 2);
  out[S_IDTLIMIT] = *(u16 *)out_idtr;
  out[S_IDTBASE] = *(u64 *)(out_idtr + 2);
}

static bool same(const u32 *a, const u32 *b) {
  return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) | (a[5] ^ b[5]) |
           (a[6] ^ b[6]) | (a[7] ^ b[7]));
}

static void report(u32 how) {
  put("V");
  put_hex(left_by);
  put("\n");
  for (u32 k = 0; k < S_COUNT; k++) {
    if (k == S_RIP || out[k] == in[k]) continue;
    if (!(how & ENTER_LONG) && (k == S_FSBASE || k == S_GSBASE)) continue;
    put("s");
    put_hex(k);
    put_hex(out[k]);
    put("\n");
  }
  const u64 *fpu = how & ENTER_LONG ? out_fpu_long : out_fpu;
  for (u32 k = 0; k < (how & ENTER_LONG ? FPU_SEEN_LONG : FPU_SEEN); k++) {
    if (fpu[k] == in_fpu[k]) continue;
    put("f");
    put_hex(k);
    put_hex(fpu[k]);
    put("\n");
  }
  u32 *now = 0, *was = (u32 *)SHADOW;
  __asm__("" : "+r"(now)); /* memory begins at 0 */
  for (u32 k = 0; k < BASE_BYTES / 4; k += 2) {
    while (!(k & 7) && k < BASE_BYTES / 4 && same(now + k, was + k)) k += 8;
    if (k >= BASE_BYTES / 4) break;
    if (now[k] == was[k] && now[k + 1] == was[k + 1]) continue;
    put("m");
    put_hex(k * 4);
    put_hex((u64)now[k + 1] << 32 | now[k]);
    put("\n");
    now[k] = was[k];
    now[k + 1] = was[k + 1];
  }
  put("E\n");
}

static struct image_word words[8192];

static u32 current_base = ~0u;
static struct image_head head[SECTOR / sizeof(struct image_head)];

static void run(struct image_case *c) {
  u32 *now = 0, *shadow = (u32 *)SHADOW;
  __asm__("" : "+r"(now));
  const u32 *base = (u32 *)(BASES + c->base * BASE_BYTES);
  stream(words, c->words * sizeof words[0]);
  if (c->enter & ENTER_FPU) stream(in_fpu, sizeof in_fpu);
  else memcpy(in_fpu, head->fpu, sizeof head->fpu);
  if (current_base != c->base) {
    memcpy(now, base, BASE_BYTES);
    memcpy(shadow, base, BASE_BYTES);
    current_base = c->base;
  }
  for (u32 k = 0; k < c->words; k++) {
    u32 at = words[k].at / 4;
    now[at] = shadow[at] = words[k].low;
    now[at + 1] = shadow[at + 1] = words[k].high;
  }
  put("R");
  put_hex(c->serial);
  put("\n");
  memcpy(in, c->s, sizeof c->s);
  memset(out, 0, sizeof c->s);
  table_register(in_gdtr, in[S_GDTBASE], in[S_GDTLIMIT]);
  table_register(in_idtr, in[S_IDTBASE], in[S_IDTLIMIT]);
  in_far[0] = (u32)in[S_RIP];
  in_far[1] = (u32)in[S_SEG + 1];
  load_registers(c->enter);
  entry_segment();
  load_ldt();
  enter(c->enter);
  read_registers();
  report(c->enter);
  for (u32 k = 0; k < c->words; k++) {
    u32 at = words[k].at / 4;
    now[at] = shadow[at] = base[at];
    now[at + 1] = shadow[at + 1] = base[at + 1];
  }
}

static void put_cpuid(u32 leaf, u32 sub) {
  u32 a = leaf, b, c = sub, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  put("C");
  put_hex(leaf);
  put_hex(sub);
  put_hex(a);
  put_hex(b);
  put_hex(c);
  put_hex(d);
  put("\n");
}

static void power_off(void) {
  outb(0xf4, 0);
  for (const char *s = "Shutdown"; *s; s++) outb(0x8900, (u8)*s);
  for (;;) __asm__ volatile("cli; hlt");
}

/* VIF and VIP may stay behind, where IRET does not load them: then a new start is the only way to clear them.
 * */
static bool flags_clean(void) {
  u32 flags;
  __asm__ volatile("pushfl; popl %0" : "=r"(flags));
  return !(flags & 0x180000);
}

void monitor(void) {
  static struct image_case c;
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  own_tables();
  disk_read(HEAD_LBA, 1, head);
  if (head->magic != IMAGE_MAGIC) put("no image\n");
  for (u32 k = 0; k < head->bases * (BASE_BYTES / SECTOR); k += 128)
    disk_read(BASES_LBA + k, 128, (void *)(BASES + k * SECTOR));
  static const u32 leaves[][2] = {{0, 0}, {1, 0}, {7, 0}, {7, 1}, {0xd, 1}, {0x80000001, 0}, {0x80000007, 0},
                                  {0x80000008, 0}, {0x8000000a, 0}};
  for (u32 k = 0; k < sizeof leaves / sizeof leaves[0]; k++) put_cpuid(leaves[k][0], leaves[k][1]);
  put("BEGIN\n");
  stream_begin(BASES_LBA + head->bases * (BASE_BYTES / SECTOR), head->first);
  for (u32 k = 0; k < head->cases; k++) {
    stream(&c, sizeof c);
    run(&c);
    if (!flags_clean()) power_off();
  }
  put("END\n");
  power_off();
}
