/* What the debugger shows of a processor: lines and JSON members against the layouts of the manual, and every view over
 * garbage. SDM 3A 2, 3.4.5, 4.3-4.7, 6.11, 6.14.1, 7.2.1, 7.7; SDM 3B 17.2; SDM 2 (instruction encodings). */
#include "tests/unit/random.h"
#include "tests/unit/view_probe.h"

/* ---- descriptor tables. Layouts: SDM 3A Figure 3-8 (Segment Descriptor), Table 3-1, Table 3-2 ---- */

static void put8(struct machine *m, u64 at, u64 lo) { m_put(m, at, lo, 8); }

START_TEST(gdt_of_long_mode) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  /* TSS: limit 67h, base 0x123456789abcdef0, available, DPL 0, in 16 bytes */
  put8(&p.m, GDT + 0x40, UINT64_C(0x9a0089bcdef00067));
  put8(&p.m, GDT + 0x48, 0x12345678);
  /* call gate to 0010:ffffffff80112233, DPL 3 */
  put8(&p.m, GDT + 0x70, UINT64_C(0x8011ec0000102233));
  put8(&p.m, GDT + 0x78, 0xffffffff);
  put8(&p.m, GDT + 0x80, 0);
  p.m.cpu->gdtr.limit = 0x77; /* the second half of the gate is beyond it */
  const char *s = TEXT(&p, view_gdt(&p.v, -1, 0));
  has(s, "GDT at 0x10000, limit 0x77");
  has(s, "GDT[0x0008] 32-bit code, readable, accessed, DPL 0, base 0x0, limit 0xffffffff");
  has(s, "GDT[0x0010] 64-bit code, readable, accessed, DPL 0, base 0x0, limit 0xffffffff");
  has(s, "GDT[0x0018] data, writable, accessed, DPL 0, base 0x0, limit 0xffffffff, B");
  has(s, "GDT[0x002b] data, writable, accessed, DPL 3, base 0x0, limit 0xffffffff, B  <- es ss ds fs gs");
  has(s, "GDT[0x0033] 64-bit code, readable, accessed, DPL 3, base 0x0, limit 0xffffffff  <- cs");
  has(s, "GDT[0x0038] 32-bit code, readable, conforming, accessed, DPL 0, base 0x0, limit 0xffffffff");
  has(s, "GDT[0x0040] 64-bit TSS, DPL 0, base 0x123456789abcdef0, limit 0x67  <- tr");
  has(s, "GDT[0x0053] data, writable, accessed, DPL 3, not present, base 0x0, limit 0xffffffff, B");
  has_part(s, "GDT[0x0070] 64-bit call gate, DPL 3, to 0x0010:0x0000000080112233 (its second half cannot be read)");
  ck_assert_ptr_null(strstr(s, "GDT[0x0000]"));
  ck_assert_ptr_null(strstr(s, "GDT[0x0048]"));
  p.m.cpu->gdtr.limit = 0x7f;
  s = TEXT(&p, view_gdt(&p.v, 14, 1));
  has(s, "GDT[0x0070] 64-bit call gate, DPL 3, to 0x0010:0xffffffff80112233");
  s = TEXT(&p, view_gdt(&p.v, 0, 1));
  has(s, "GDT[0x0000] NULL");
  s = TEXT(&p, view_gdt(&p.v, 200, 3));
  has(s, "GDT[0x0640] beyond the table's limit");
  json_t *j = JSON(&p, view_gdt(&p.v, -1, 0));
  is_text(j, "base", "0x10000");
  json_t *e = with(member(j, "entries"), "selector", "0x33");
  is_num(e, "index", 6);
  is_num(e, "rpl", 3);
  is_num(e, "dpl", 3);
  is_num(e, "l", 1);
  is_num(e, "g", 1);
  is_bool(e, "present", true);
  is_text(e, "used_by.0", "cs");
  is_text(e, "raw", "0xaffb000000ffff");
  e = with(member(j, "entries"), "selector", "0x70");
  is_text(e, "target_selector", "0x10");
  is_text(e, "target_offset", "0xffffffff80112233");
  json_decref(j);
  probe_free(&p);
}
END_TEST

START_TEST(gdt_of_protected_mode) {
  struct probe p = probe_new(VENDOR_AMD, LEGACY32, 0);
  static const struct {
    u64 d;
    const char *line;
  } cases[] = {
      {UINT64_C(0x0000f60000000fff), "data, writable, expand-down, DPL 3, base 0x0, limit 0xfff"},
      {UINT64_C(0x12c0921234563fff), "data, writable, DPL 0, base 0x12123456, limit 0x3ffffff, B"},
      {UINT64_C(0x0000980000001234), "16-bit code, execute-only, DPL 0, base 0x0, limit 0x1234"},
      {UINT64_C(0x0000810000000000), "16-bit TSS, DPL 0, base 0x0, limit 0x0"},
      {UINT64_C(0x0000820100000027), "LDT, DPL 0, base 0x10000, limit 0x27"},
      {UINT64_C(0x0000830000000000), "16-bit TSS (busy), DPL 0, base 0x0, limit 0x0"},
      {UINT64_C(0xdeade40500081234), "16-bit call gate, DPL 3, to 0x0008:0x1234, 5 parameters"},
      {UINT64_C(0x0000a500004b0000), "task gate, DPL 1, to TSS 0x004b"},
      {UINT64_C(0x1234ec0100085678), "32-bit call gate, DPL 3, to 0x0008:0x12345678, 1 parameter"},
      {UINT64_C(0x00800b0000000067), "32-bit TSS (busy), DPL 0, not present, base 0x0, limit 0x67fff"},
      {UINT64_C(0x0000880000000000), "reserved, DPL 0, base 0x0, limit 0x0"},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
    char line[200];
    put8(&p.m, GDT + 0xf0, cases[k].d);
    u16 sel = (u16)(0xf0 | (cases[k].d >> 44 & 1 ? cases[k].d >> 45 & 3 : 0));
    snprintf(line, sizeof line, "GDT[0x%04x] %s", sel, cases[k].line);
    has(TEXT(&p, view_gdt(&p.v, 30, 1)), line);
    json_t *j = JSON(&p, view_selector(&p.v, 0xf0));
    is_num(j, "index", 30);
    is_num(j, "dpl", (long long)(cases[k].d >> 45 & 3));
    json_decref(j);
  }
  has_part(TEXT(&p, view_selector(&p.v, 0x23)), "0x0023: GDT 0020h, RPL 3: 32-bit code, readable, accessed, DPL 3");
  has_part(TEXT(&p, view_selector(&p.v, 3)), "NULL selector");
  has_part(TEXT(&p, view_selector(&p.v, 0x0c)), "there is no LDT");
  has_part(TEXT(&p, view_selector(&p.v, 0x1000)), "beyond the table's limit");
  probe_free(&p);
}
END_TEST

START_TEST(tables_that_cannot_be_read) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  p.m.cpu->gdtr = (struct dtable){.base = RAM - 16, .limit = 0xffff};
  put8(&p.m, RAM - 8, UINT64_C(0x00cf9a000000ffff));
  m_put(&p.m, PD + 8, 0, 8);
  p.m.cpu->gdtr.base = 0x1ffff0; /* the page behind is not mapped: 2 MiB */
  put8(&p.m, 0x1ffff8, UINT64_C(0x00cf9a000000ffff));
  const char *s = TEXT(&p, view_gdt(&p.v, -1, 0));
  has(s, "GDT[0x0008] 32-bit code, readable, DPL 0, base 0x0, limit 0xffffffff");
  has(s, "GDT[0x0010]..[0xfff8] cannot be read");
  p.m.cpu->gdtr.limit = 0xa; /* an entry that is not whole */
  s = TEXT(&p, view_gdt(&p.v, -1, 0));
  has(s, "no entry is in use");
  p.m.cpu->idtr.base = 0x200000;
  has(TEXT(&p, view_idt(&p.v, -1, 0)), "256 entries cannot be read");
  p.m.cpu->tr.base = 0x200000;
  has_part(TEXT(&p, view_tss(&p.v)), "cannot be read");
  json_t *j = JSON(&p, view_idt(&p.v, 3, 1));
  is_num(j, "entries.0.vector", 3);
  is_text(j, "entries.0.exception", "#BP");
  is_text(j, "entries.0.error", "its memory cannot be read");
  json_decref(j);
  probe_free(&p);
}
END_TEST

START_TEST(ldt) {
  struct probe p = probe_new(VENDOR_INTEL, COMPAT32, 3);
  has(TEXT(&p, view_ldt(&p.v, -1, 0)), "there is no LDT: LDTR is NULL");
  p.m.cpu->ldtr = (struct seg){.sel = LDT_SEL, .attr = SEG_P | SYS_LDT, .limit = 0x17, .base = DATA};
  put8(&p.m, DATA + 8, UINT64_C(0x00cff2000000ffff));
  p.m.cpu->seg[GS].sel = 0x0f;
  const char *s = TEXT(&p, view_ldt(&p.v, -1, 0));
  has(s, "LDTR 0x0080: LDT at 0x60000, limit 0x17");
  has(s, "LDT[0x000f] data, writable, DPL 3, base 0x0, limit 0xffffffff, B  <- gs");
  has(TEXT(&p, view_ldt(&p.v, 0, 1)), "LDT[0x0004] empty");
  json_t *j = JSON(&p, view_selector(&p.v, 0x0f));
  is_text(j, "table", "LDT");
  is_text(j, "type", "data, writable");
  is_text(j, "address", "0x60008");
  json_decref(j);
  p.m.cpu->ldtr.limit = 0xffffffff; /* as no LDTR should be: more than a selector names */
  j = JSON(&p, view_ldt(&p.v, -1, 0));
  json_decref(j);
  probe_free(&p);
}
END_TEST

/* ---- IDT: SDM 3A Figure 6-2 (IDT Gate Descriptors), Figure 6-8 (64-Bit IDT Gate Descriptors) ---- */

START_TEST(idt_of_each_mode) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  put8(&p.m, IDT + 0x80 * 16, UINT64_C(0x9abcee0300105678)); /* IST 3, DPL 3, interrupt gate */
  put8(&p.m, IDT + 0x80 * 16 + 8, 0xffffffff);
  put8(&p.m, IDT + 0x81 * 16, UINT64_C(0x00008f0000330000));
  put8(&p.m, IDT + 0x82 * 16, UINT64_C(0x00008c0000100000)); /* a call gate */
  put8(&p.m, IDT + 0x83 * 16, UINT64_C(0x00000e0000380000)); /* absent, conforming target */
  const char *s = TEXT(&p, view_idt(&p.v, -1, 0));
  has(s, "IDT at 0x11000, limit 0xfff, entries of 16 bytes, vectors below 0x100");
  has(s, "IDT[0x0e] #PF  64-bit interrupt gate, DPL 0, to 0x0010:0x00000000000500e0, ring 0");
  has(s, "IDT[0x80]      64-bit interrupt gate, DPL 3, to 0x0010:0xffffffff9abc5678, IST 3, ring 0");
  has(s, "IDT[0x81]      64-bit trap gate, DPL 0, to 0x0033:0x0000000000000000, ring 3");
  has_part(s, "IDT[0x82]      no interrupt, trap or task gate: 64-bit call gate");
  has(s, "IDT[0x83]      64-bit interrupt gate, DPL 0, not present, to 0x0038:0x0000000000000000, "
         "conforming: ring unchanged");
  json_t *j = JSON(&p, view_idt(&p.v, 0x80, 1));
  is_num(j, "entry_bytes", 16);
  is_num(j, "entries.0.vector", 0x80);
  is_num(j, "entries.0.ist", 3);
  is_num(j, "entries.0.dpl", 3);
  is_text(j, "entries.0.target_offset", "0xffffffff9abc5678");
  json_decref(j);
  probe_free(&p);

  p = probe_new(VENDOR_INTEL, LEGACY32, 0);
  put8(&p.m, IDT + 8, UINT64_C(0xdead860000081234)); /* 16-bit interrupt gate */
  put8(&p.m, IDT + 16, UINT64_C(0x0000850000400000)); /* task gate */
  s = TEXT(&p, view_idt(&p.v, -1, 0));
  has(s, "IDT[0x03] #BP  32-bit interrupt gate, DPL 3, to 0x0008:0x00050030, ring 0");
  has(s, "IDT[0x01] #DB  16-bit interrupt gate, DPL 0, to 0x0008:0x1234, ring 0");
  has_part(s, "task gate, DPL 0, to TSS 0x0040\n");
  has(TEXT(&p, view_idt(&p.v, 255, 9)), "IDT[0xff]      32-bit interrupt gate, DPL 0, to 0x0008:0x00050ff0, ring 0");
  p.m.cpu->cr0 = CR0_ET; /* real-address mode: four bytes, offset then segment. SDM 3A Figure 20-2 */
  p.m.cpu->idtr = (struct dtable){.base = 0, .limit = 0x3ff};
  cpu_update_mode(p.m.cpu);
  m_put(&p.m, 0x40, 0xf000ff53, 4);
  has(TEXT(&p, view_idt(&p.v, 0x10, 1)), "IVT[0x10] #MF  0xf000:0xff53 = 0xfff53");
  has_part(TEXT(&p, view_idt(&p.v, 300, 1)), "ringwalk: ");
  probe_free(&p);
}
END_TEST

/* ---- TSS: SDM 3A Figures 7-2, 7-10, 7-11 ---- */

START_TEST(tss_of_each_format) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  m_put(&p.m, TSS + 4, UINT64_C(0x1122334455667788), 8);
  m_put(&p.m, TSS + 84, UINT64_C(0x7fff00001000), 8); /* IST7 */
  m_put(&p.m, TSS + 104 + 0x60 / 8, 0xee, 1);         /* ports 60h and 64h */
  m_put(&p.m, TSS + 104 + 0x3f8 / 8, 0, 1);
  const char *s = TEXT(&p, view_tss(&p.v));
  has(s, " TR 0x0040: 64-bit TSS (busy) at 0x13000, limit 0x2067");
  has(s, " +04 RSP0   0x1122334455667788  not canonical: #SS when it is used");
  has(s, " +24 IST1   0x0000000000024000");
  has(s, " +54 IST7   0x00007fff00001000");
  has_part(s, "+66 iomap  0x0068");
  has(s, " I/O map at +0x68, open: 0x60, 0x64, 0x3f8-0x3ff to rings beyond IOPL 0");
  json_t *j = JSON(&p, view_tss(&p.v));
  is_text(j, "format", "64-bit");
  is_text(j, "fields.IST7.value", "0x7fff00001000");
  is_text(j, "open_ports.2.first", "0x3f8");
  is_text(j, "open_ports.2.last", "0x3ff");
  json_decref(j);
  p.m.cpu->tr.limit = 0x67;
  has(TEXT(&p, view_tss(&p.v)), " I/O map at +0x68, beyond the limit: no port is open to rings beyond IOPL 0");
  p.m.cpu->tr.limit = 0x30;
  has(TEXT(&p, view_tss(&p.v)), " +54 IST7   beyond the limit");
  p.m.cpu->tr.attr = SEG_NULL;
  has(TEXT(&p, view_tss(&p.v)), " TR 0x0040: no TSS is loaded");
  probe_free(&p);

  p = probe_new(VENDOR_INTEL, LEGACY32, 0);
  m_put(&p.m, TSS + 0x1c, 0x1000, 4);
  m_put(&p.m, TSS + 0x20, 0x401136, 4);
  m_put(&p.m, TSS + 0x24, 0x202, 4);
  m_put(&p.m, TSS + 0x44, 0xed1, 4);
  m_put(&p.m, TSS + 0x5c, 0x2b, 2);
  j = JSON(&p, view_tss(&p.v));
  is_text(j, "format", "32-bit");
  is_text(j, "fields.ESP0.value", "0x20000");
  is_text(j, "fields.SS0.value", "0x18");
  is_text(j, "fields.CR3.value", "0x1000");
  is_text(j, "fields.EIP.value", "0x401136");
  is_text(j, "fields.EFLAGS.set", "[IF]");
  is_text(j, "fields.EDI.value", "0xed1");
  is_text(j, "fields.GS.value", "0x2b");
  json_decref(j);
  p.m.cpu->tr.attr = SEG_P | SYS_TSS16_BUSY;
  p.m.cpu->tr.limit = 0x2b;
  m_put(&p.m, TSS + 0x0e, 0x1234, 2);
  m_put(&p.m, TSS + 0x2a, 0x80, 2);
  j = JSON(&p, view_tss(&p.v));
  is_text(j, "format", "16-bit");
  is_text(j, "fields.IP.value", "0x1234");
  is_text(j, "fields.LDT.value", "0x80");
  json_decref(j);
  probe_free(&p);
}
END_TEST

/* ---- pages ---- */

START_TEST(page_walk_of_four_levels) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  const char *s = TEXT(&p, view_page(&p.v, 0x60123));
  has(s, "linear 0x60123");
  has(s, " PML4E 0x0000000000002027 at 0x1000: P RW US pwt pcd A xd");
  has(s, " PDPTE 0x0000000000003027 at 0x2000: P RW US pwt pcd A ps xd");
  has(s, " PDE   0x0000000000004027 at 0x3000: P RW US pwt pcd A ps xd");
  has(s, " PTE   0x0000000000060007 at 0x4300: P RW US pwt pcd a d g pat xd");
  has(s, "-> physical 0x60123, memory, 4-KiB page at 0x60000, WB by the PAT");
  has(s, " * ring 3             write    yes");
  s = TEXT(&p, view_page(&p.v, SUPERVISOR_PAGE));
  has(s, " * ring 3             read     no, #PF(0x5): U/S = 0 in the PTE");
  has(s, "   rings 0-2          execute  yes");
  s = TEXT(&p, view_page(&p.v, READONLY_PAGE));
  has(s, " * ring 3             write    no, #PF(0x7): R/W = 0 in the PTE");
  has(s, "   rings 0-2          write    no, #PF(0x3): R/W = 0 in the PTE");
  p.m.cpu->cr0 &= ~CR0_WP;
  cpu_update_mode(p.m.cpu);
  has(TEXT(&p, view_page(&p.v, READONLY_PAGE)), "   rings 0-2          write    yes (CR0.WP = 0)");
  s = TEXT(&p, view_page(&p.v, ABSENT_PAGE));
  has(s, " PTE   0x0000000000000000 at 0x4390: p");
  has(s, "the walk ends at the PTE: not present, so every access is #PF with P = 0");
  m_put(&p.m, PD + 8, UINT64_C(0x8000000000400187), 8); /* 2 MiB, global, XD */
  s = TEXT(&p, view_page(&p.v, 0x212345));
  has(s, " PDE   0x8000000000400187 at 0x3008: P RW US pwt pcd a d PS G pat XD");
  has(s, "-> physical 0x412345, nothing there, 2-MiB page at 0x400000, WB by the PAT");
  has(s, " * ring 3             execute  no, #PF(0x15): XD = 1 in the PDE");
  m_put(&p.m, PDPT + 8, UINT64_C(0x40000087), 8); /* 1 GiB */
  has_part(TEXT(&p, view_page(&p.v, 0x7fffffff)), "-> physical 0x7fffffff, nothing there, 1-GiB page at 0x40000000");
  m_put(&p.m, PDPT + 8, UINT64_C(0x40002087), 8); /* bit 13 */
  s = TEXT(&p, view_page(&p.v, 0x40000000));
  has_part(s, ", reserved bits 0x2000");
  has(s, "the walk ends at the PDPTE: a reserved bit is set, so every access is #PF with P = 1 and RSVD = 1");
  has_part(TEXT(&p, view_page(&p.v, UINT64_C(0x0000800000000000))), "is not canonical");
  m_put(&p.m, PML4, PDPT | 0x107, 8); /* bit 8: ignored by intel, reserved by amd */
  ck_assert_ptr_null(strstr(TEXT(&p, view_page(&p.v, DATA)), "reserved"));
  p.m.cpu->model = model_default(VENDOR_AMD);
  cpu_update_mode(p.m.cpu);
  has(TEXT(&p, view_page(&p.v, DATA)), " PML4E 0x0000000000002107 at 0x1000: P RW US pwt pcd a xd, reserved bits 0x100");
  probe_free(&p);
}
END_TEST

START_TEST(page_rights_of_supervisors) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  p.m.cpu->cr4 |= CR4_SMEP | CR4_SMAP | CR4_PKE;
  p.m.cpu->pkru = 2u << 2 * 5; /* key 5: no writes */
  m_put(&p.m, PT + 0x60 * 8, UINT64_C(5) << 59 | 0x60067, 8);
  cpu_update_mode(p.m.cpu);
  const char *s = TEXT(&p, view_page(&p.v, DATA));
  has_part(s, " g pat xd key 5\n");
  has(s, "   ring 3             write    no, #PF(0x27): PKRU refuses the key");
  has(s, " * rings 0-2, AC = 0  read     no, #PF(0x1): CR4.SMAP: a user page");
  has(s, " * rings 0-2          execute  no, #PF(0x11): CR4.SMEP: a user page");
  has(s, "   rings 0-2, AC = 1  read     yes (EFLAGS.AC = 1)");
  json_t *j = JSON(&p, view_page(&p.v, DATA));
  is_num(j, "entries.3.key", 5);
  is_num(j, "entries.3.D", 1);
  is_num(j, "entries.3.A", 1);
  is_text(j, "entries.3.at", "0x4300");
  is_text(j, "physical", "0x60000");
  is_text(j, "access.1.error_code", "0x27");
  is_bool(j, "access.0.ok", true);
  json_decref(j);
  probe_free(&p);
}
END_TEST

START_TEST(page_walks_of_other_modes) {
  struct probe p = probe_new(VENDOR_INTEL, LEGACY32, 3);
  struct cpu *cpu = p.m.cpu;
  has(TEXT(&p, view_page(&p.v, UINT64_C(0x1000060010))), "linear 0x60010 (paging is off) -> physical 0x60010, memory");
  cpu->cr0 |= CR0_PG; /* PAE */
  cpu->pdpte[3] = PD | 1;
  m_put(&p.m, PD, 0x4067, 8);
  cpu_update_mode(cpu);
  const char *s = TEXT(&p, view_page(&p.v, 0xc0060abc));
  has(s, " PDPTE 0x0000000000003001 in PDPTE3: P pwt pcd");
  has(s, " PDE   0x0000000000004067 at 0x3000: P RW US pwt pcd A ps xd");
  has(s, " PTE   0x0000000000060007 at 0x4300: P RW US pwt pcd a d g pat xd");
  has_part(s, "-> physical 0x60abc, memory, 4-KiB page at 0x60000");
  s = TEXT(&p, view_page(&p.v, 0x60abc));
  has(s, " PDPTE 0x0000000000000000 in PDPTE0: p");
  has(s, "the walk ends at the PDPTE: not present, so every access is #PF with P = 0");

  cpu->cr4 = CR4_PSE; /* 32-bit paging; bits 39:32 of a 4-MiB page are in 20:13. SDM 3A Table 4-4 */
  m_put(&p.m, PML4, 0x12c02087, 4);
  m_put(&p.m, PML4 + 4, 0x4007, 4);
  m_put(&p.m, PT + 0x123 * 4, 0x60019, 4);
  cpu_update_mode(cpu);
  s = TEXT(&p, view_page(&p.v, 0x3abcde));
  has(s, " PDE   0x12c02087 at 0x1000: P RW US pwt pcd a d PS g pat");
  has(s, "-> physical 0x112fabcde, nothing there, 4-MiB page at 0x112c00000, WB by the PAT");
  s = TEXT(&p, view_page(&p.v, 0x523456));
  has(s, " PDE   0x00004007 at 0x1004: P RW US pwt pcd a ps");
  has(s, " PTE   0x00060019 at 0x448c: P rw us PWT PCD a d g pat");
  has(s, "-> physical 0x60456, memory, 4-KiB page at 0x60000, UC by the PAT");
  has(s, " * ring 3             write    no, #PF(0x7): U/S = 0 in the PTE; R/W = 0 in the PTE");
  probe_free(&p);

  p = probe_new(VENDOR_INTEL, LONG64, 0); /* 5 levels: the PML5's first entry leads to the PML4 */
  p.m.cpu->model = model_find("icelake");
  m_put(&p.m, 0x5000, PML4 | 7, 8);
  p.m.cpu->cr3 = 0x5000;
  p.m.cpu->cr4 |= CR4_LA57;
  cpu_update_mode(p.m.cpu);
  s = TEXT(&p, view_page(&p.v, DATA));
  has(s, " PML5E 0x0000000000001007 at 0x5000: P RW US pwt pcd a xd");
  has(s, " PTE   0x0000000000060007 at 0x4300: P RW US pwt pcd a d g pat xd");
  ck_assert_ptr_null(strstr(TEXT(&p, view_page(&p.v, UINT64_C(0x0000800000000000))), "canonical"));
  json_t *j = JSON(&p, view_page(&p.v, DATA));
  is_num(j, "levels", 5);
  is_text(j, "entries.0.level", "PML5E");
  json_decref(j);
  probe_free(&p);
}
END_TEST

/* ---- registers ---- */

START_TEST(registers_and_changes) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  struct cpu *before = malloc(sizeof *before);
  ck_assert_ptr_nonnull(before);
  p.m.cpu->gpr[RDX] = 0; /* RESET leaves the signature there */
  memcpy(before, p.m.cpu, sizeof *before);
  p.v.before = before;
  p.m.cpu->gpr[RBX] = UINT64_C(0xfedcba9876543210);
  cpu_set_eflags(p.m.cpu, EF_1 | EF_IF | EF_ZF | EF_PF);
  const char *s = TEXT(&p, view_registers(&p.v));
  has(s, " rax 0000000000000000 *rbx fedcba9876543210  rcx 0000000000000000  rdx 0000000000000000");
  has(s, " rip 0000000000040000");
  has(s, "*rflags 00000246 [IF ZF PF]");
  has(s, " ring 3, 64-bit mode, cs 0x0033, ss 0x002b");
  json_t *j = JSON(&p, view_registers(&p.v));
  is_text(j, "registers.rbx.value", "0xfedcba9876543210");
  is_bool(j, "registers.rbx.changed", true);
  ck_assert_ptr_null(json_object_get(member(j, "registers.rax"), "changed"));
  is_text(j, "registers.r15.value", "0x0");
  is_num(j, "cpl.value", 3);
  is_num(j, "code_bits", 64);
  json_decref(j);
  s = TEXT(&p, view_flags(&p.v));
  has(s, " rflags 0x00000246 [IF ZF PF]");
  has(s, "*ZF   1  bit  6  zero: the result was 0");
  has(s, " IF   1  bit  9  external interrupts are let in");
  has(s, " IOPL 0  bit 12  rings up to this may do I/O and change IF");
  p.m.cpu->seg[FS].base = 0x7000;
  p.m.cpu->cr2 = 0x1234;
  p.m.cpu->msr[MSR_LSTAR] = UINT64_C(0xffffffff81000000);
  p.m.cpu->dr[6] |= BIT(14);
  has_part(TEXT(&p, view_creg(&p.v)), "\n*CR2   0x0000000000001234  the last page fault's linear address\n");
  has(TEXT(&p, view_msr(&p.v, "LSTAR")), "*c0000082 IA32_LSTAR              ffffffff81000000");
  has_part(TEXT(&p, view_msr(&p.v, "LSTAR")), "SDM 3A 5.8.8");
  has_part(TEXT(&p, view_dreg(&p.v)), "\n*DR6   0x00000000ffff4ff0  bt BS bd b3 b2 b1 b0\n");
  json_t *msr = JSON(&p, view_msr(&p.v, NULL));
  is_bool(with(member(msr, "msrs"), "name", "IA32_LSTAR"), "changed", true);
  ck_assert_ptr_null(json_object_get(with(member(msr, "msrs"), "name", "IA32_CSTAR"), "changed"));
  json_decref(msr);
  s = TEXT(&p, view_sreg(&p.v));
  has(s, " cs   0x0033  base 0x0000000000000000  limit 0xffffffff  DPL 3  64-bit code, readable, accessed");
  has(s, "*fs   0x002b  base 0x0000000000007000  limit 0xffffffff  DPL 3  data, writable, accessed, B");
  has(s, " ldtr 0x0000  base 0x0000000000000000  limit 0x00000000  NULL");
  has(s, " tr   0x0040  base 0x0000000000013000  limit 0x00002067  DPL 0  64-bit TSS (busy)");
  has(s, " gdtr         base 0x0000000000010000  limit 0x00ff");
  has_part(TEXT(&p, view_mode(&p.v)), "64-bit mode, ring 3, IOPL 0, 64-bit code, 64-bit stack pointer\n");
  has_part(TEXT(&p, view_mode(&p.v)), " paging 4-level, cr3 0x1000, WP NXE\n");
  free(before);
  probe_free(&p);

  p = probe_new(VENDOR_INTEL, COMPAT32, 0);
  p.m.cpu->gpr[RDX] = UINT64_C(0x1234567800000001); /* beyond 32 bits it is undefined */
  has_part(TEXT(&p, view_registers(&p.v)), " eax 00000000  ebx 00000000  ecx 00000000  edx 00000001\n");
  has_part(TEXT(&p, view_mode(&p.v)), "compatibility mode, 32-bit, ring 0");
  p.m.cpu->cr0 = CR0_ET;
  p.m.cpu->msr[MSR_EFER] = 0;
  p.m.cpu->seg[CS] = (struct seg){.sel = 0xf000, .base = 0xf0000, .limit = 0xffff, .attr = 0x9b};
  p.m.cpu->seg[SS] = p.m.cpu->seg[CS];
  cpu_update_mode(p.m.cpu);
  has_part(TEXT(&p, view_mode(&p.v)), "real-address mode, ring 0, IOPL 0, 16-bit code, 16-bit stack pointer\n");
  has_part(TEXT(&p, view_selector(&p.v, 0xf000)), "base 0xf0000");
  p.m.cpu->cr0 |= CR0_PE;
  cpu_set_eflags(p.m.cpu, EF_1 | EF_VM | EF_IOPL);
  p.m.cpu->cpl = 3;
  cpu_update_mode(p.m.cpu);
  has_part(TEXT(&p, view_mode(&p.v)), "virtual-8086 mode, ring 3, IOPL 3, 16-bit code, 16-bit stack pointer\n");
  has_part(TEXT(&p, view_mode(&p.v)), " interrupts held off: IF = 0\n");
  has(TEXT(&p, view_idt(&p.v, 3, 1)), "in virtual-8086 mode the gates of protected mode count");
  probe_free(&p);
}
END_TEST

START_TEST(control_and_debug_registers) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  struct cpu *cpu = p.m.cpu;
  cpu->cr4 |= CR4_PCIDE;
  cpu->cr3 = PML4 | 0x123;
  cpu->pkru = 0x55555554;
  cpu_update_mode(cpu);
  const char *s = TEXT(&p, view_creg(&p.v));
  has(s, " CR0   0x0000000080010031  PG cd nw am WP NE ET ts em mp PE");
  has(s, "       WP         rings 0-2 may not write read-only pages");
  has(s, " CR3   0x0000000000001123  PML4 at 0x1000, PCID 0x123");
  has_part(s, " pge mce PAE pse");
  has(s, " EFER  0x0000000000000d01  aibrse uaie intwb mcommit tce ffxsr lmsle svme NXE LMA LME SCE");
  has(s, " PKRU  0x0000000055555554  no access by key 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (not in use)");
  json_t *j = JSON(&p, view_creg(&p.v));
  is_num(j, "CR0.bits.PG", 1);
  is_num(j, "CR0.bits.CD", 0);
  is_num(j, "CR4.bits.PCIDE", 1);
  is_text(j, "CR3.PCID", "0x123");
  is_num(j, "EFER.bits.LMA", 1);
  is_num(j, "PKRU.denied.0.key", 1);
  json_decref(j);
  /* DR7: L0, execution; G1, writes of 4 bytes; L2 and G2, I/O of 2; DR3 off, 8 bytes, reads and writes; GD */
  cpu->dr[0] = 0x401136;
  cpu->dr[1] = 0x60003;
  cpu->dr[2] = 0x3f8;
  cpu->dr[7] = 0x400 | 1 | 8 | 0x30 | UINT64_C(0xd) << 20 | UINT64_C(6) << 24 | UINT64_C(0xb) << 28 | BIT(13);
  cpu->dr[6] = 0xffff4ff2;
  s = TEXT(&p, view_dreg(&p.v));
  has(s, " DR0   0x0000000000401136  local, execution");
  has(s, " DR1   0x0000000000060003  global, writes of 4 bytes, from 0x60000 "
         "(address bits below the length do not count)");
  has(s, " DR2   0x00000000000003f8  local, global, undefined (CR4.DE = 0) of 2 bytes");
  has(s, " DR3   0x0000000000000000  off, reads and writes of 8 bytes");
  has(s, "       B1         the condition of DR1 was met");
  has(s, "       BS         a single step (TF)");
  has(s, "       GD         accesses to debug registers are #DB");
  probe_free(&p);
}
END_TEST

START_TEST(msrs) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  p.m.cpu->msr[MSR_STAR] = UINT64_C(0x0023001000000000);
  p.m.cpu->msr[MSR_FMASK] = 0x47700;
  const char *s = TEXT(&p, view_msr(&p.v, "STAR"));
  has(s, " c0000081 IA32_STAR               0023001000000000");
  has(s, "          SYSCALL: CS 0x0010, SS 0x0018; SYSRET: CS 0x0023 (32-bit) or 0x0033 (64-bit), SS 0x002b");
  has_part(TEXT(&p, view_msr(&p.v, "0xc0000084")), "SYSCALL clears [IOPL=3 AC NT DF IF TF]");
  has_part(TEXT(&p, view_msr(&p.v, "ia32_sysenter_cs")),
           "SYSENTER: CS 0x0010, SS 0x0018; SYSEXIT: CS 0x0023, SS 0x002b, or 64-bit 0x0033, 0x003b");
  has_part(TEXT(&p, view_msr(&p.v, "IA32_PAT")), "WB WT UC- UC WB WT UC- UC");
  has_part(TEXT(&p, view_msr(&p.v, "APIC_BASE")), "  BASE=0xfee00 EN BSP\n");
  has(TEXT(&p, view_msr(&p.v, "EFER")), "       LMA        long mode is active (LME and CR0.PG)");
  p.m.cpu->msr[MSR_STAR] = UINT64_C(0x0020001000000000); /* amd takes the RPL of SS from it. APM 3 SYSRET */
  has_part(TEXT(&p, view_msr(&p.v, "STAR")), "SYSRET: CS 0x0023 (32-bit) or 0x0033 (64-bit), SS 0x002b\n");
  p.m.cpu->model = model_default(VENDOR_AMD);
  has_part(TEXT(&p, view_msr(&p.v, "STAR")), "SYSRET: CS 0x0023 (32-bit) or 0x0033 (64-bit), SS 0x0028\n");
  p.m.cpu->model = model_default(VENDOR_INTEL);
  p.m.cpu->msr[MSR_MTRR_PHYSBASE0] = 0x40000006;
  p.m.cpu->msr[MSR_MTRR_PHYSMASK0] = (MASK(45, 0) & ~UINT64_C(0x3fffffff)) | 0x800; /* 1 GiB of 46 bits */
  has_part(TEXT(&p, view_msr(&p.v, "IA32_MTRR_PHYSBASE0")), "base 0x40000000, WB");
  has_part(TEXT(&p, view_msr(&p.v, "IA32_MTRR_PHYSMASK0")), ", 0x40000000 bytes");
  begin(&p, false);
  ck_assert_int_eq(view_msr(&p.v, "IA32_NONE"), -1);
  ck_assert_str_eq(end(&p), "ringwalk: no MSR 'IA32_NONE' on this processor; 'info msr' lists them\n");
  begin(&p, false);
  ck_assert_int_eq(view_msr(&p.v, "HWCR"), -1); /* amd's */
  end(&p);
  json_t *j = JSON(&p, view_msr(&p.v, NULL));
  json_t *e = with(member(j, "msrs"), "name", "IA32_STAR");
  is_text(e, "index", "0xc0000081");
  is_text(e, "sysret_cs64", "0x33");
  json_decref(j);
  probe_free(&p);
}
END_TEST

START_TEST(fpu_and_sse) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  struct cpu *cpu = p.m.cpu;
  cpu->x87.fcw = 0x37f;
  cpu->x87.top = 6;
  cpu->x87.empty = 0x3f;
  cpu->x87.st[6].se = 0xc000; /* -2.5: SDM 1 4.2.2 */
  cpu->x87.st[6].m = UINT64_C(0xa000000000000000);
  cpu->x87.st[7].se = 0x7fff;
  cpu->x87.st[7].m = UINT64_C(0xc000000000000000);
  cpu->vec[1].q[0] = UINT64_C(0x4000000000000000); /* 2.0 */
  cpu->vec[1].q[1] = UINT64_C(0x3f8000003f000000); /* as floats 0.5 and 1 */
  cpu->mxcsr = 0x1f80 | 1;
  const char *s = TEXT(&p, view_fpu(&p.v));
  has(s, " ST(0) R6/mm6 0xc000a000000000000000 normal          -2.5");
  has(s, " ST(1) R7/mm7 0x7fffc000000000000000 quiet NaN       nan");
  has(s, " ST(2) R0/mm0 0x00000000000000000000 empty");
  has(s, " FCW 0x037f  RC=0 PC=3 PM UM OM ZM DM IM (to nearest, extended precision)");
  has(s, " FSW 0x3000  b c3 TOP=6 c2 c1 c0 es sf pe ue oe ze de ie");
  has_part(s, " FTW 0x8fff (abridged 0xc0)");
  s = TEXT(&p, view_sse(&p.v));
  has(s, " xmm0  0");
  has(s, " xmm1  0x3f8000003f0000004000000000000000  f64 2, 0.0078125018335413188");
  has(s, "       f32 0, 2, 0.5, 1  s32 0, 1073741824, 1056964608, 1065353216");
  has_part(s, " MXCSR 0x1f81  fz RC=0 PM UM OM ZM DM IM daz pe ue oe ze de IE (to nearest)");
  json_t *j = JSON(&p, view_sse(&p.v));
  is_text(j, "registers.xmm1.value", "0x3f8000003f0000004000000000000000");
  is_text(j, "registers.xmm1.f32.2", "0.5");
  is_num(j, "MXCSR.bits.IE", 1);
  json_decref(j);
  probe_free(&p);
}
END_TEST

START_TEST(cpuid_and_tlb) {
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  json_t *j = JSON(&p, view_cpuid(&p.v, -1));
  json_t *leaf0 = with(member(j, "leaves"), "leaf", "0x0");
  is_text(leaf0, "ebx", "0x756e6547"); /* "Genu" */
  is_text(leaf0, "edx", "0x49656e69");
  is_text(leaf0, "ecx", "0x6c65746e");
  json_decref(j);
  has_part(TEXT(&p, view_cpuid(&p.v, 1)), " fpu vme de pse tsc msr pae");
  m_code(&p.m, "\x8a\x04\x25\x00\x00\x06\x00\x88\x04\x25\x00\x10\x06\x00"); /* mov 0x60000, %al; mov %al, 0x61000 */
  m_step(&p.m);
  m_step(&p.m);
  j = JSON(&p, view_tlb(&p.v));
  json_t *data = with(member(j, "tlbs"), "who", "data of ring 3");
  is_text(with(member(data, "ranges"), "linear", "0x60000"), "physical", "0x60000");
  is_text(with(member(data, "ranges"), "linear", "0x61000"), "rights", "rw-");
  json_t *code = with(member(j, "tlbs"), "who", "code of ring 3");
  is_text(with(member(code, "ranges"), "linear", "0x40000"), "rights", "--x");
  json_decref(j);
  has(TEXT(&p, view_tlb(&p.v)), "data of rings 0-2 with EFLAGS.AC under SMAP: 0 pages");
  probe_free(&p);
}
END_TEST

/* ---- no effects, and garbage ---- */

static void everything(const struct view *v, struct disasm *d, u64 seed) {
  char text[128];
  unsigned len;
  static const unsigned widths[] = {16, 32, 64};
  view_registers(v);
  view_sreg(v);
  view_creg(v);
  view_dreg(v);
  view_flags(v);
  view_mode(v);
  (void)view_msr(v, NULL);
  (void)view_msr(v, "IA32_EFER");
  view_gdt(v, -1, 0);
  view_gdt(v, (int)(seed % 9000), (int)(seed >> 20 & 15));
  view_ldt(v, -1, 0);
  view_ldt(v, 8191, 5);
  view_idt(v, -1, 0);
  view_idt(v, (int)(seed & 0xff), 3);
  view_tss(v);
  view_selector(v, (u16)seed);
  view_selector(v, (u16)(seed >> 16));
  view_page(v, seed);
  view_page(v, seed >> 30);
  view_tlb(v);
  view_cpuid(v, (s64)(u32)seed);
  view_fpu(v);
  view_sse(v);
  view_avx(v);
  for (unsigned k = 0; k < 3; k++)
    for (u64 la = seed & 0x3fffff, n = 0; n < 16; n++, la += 5) {
      disasm_one(d, v->cpu, NULL, la, la, widths[k], text, sizeof text);
      (void)disasm_class(d, v->cpu, la, la, widths[k], &len);
    }
}

START_TEST(views_change_nothing) {
  static const enum machine_mode modes[] = {LEGACY32, COMPAT32, LONG64};
  struct disasm *d = disasm_create();
  for (unsigned k = 0; k < ARRAY_SIZE(modes); k++) {
    struct probe p = probe_new(_i ? VENDOR_AMD : VENDOR_INTEL, modes[k], 3);
    struct cpu *cpu = malloc(sizeof *cpu);
    u8 *ram = malloc(RAM);
    memcpy(cpu, p.m.cpu, sizeof *cpu);
    memcpy(ram, p.m.ram, RAM);
    begin(&p, _i);
    everything(&p.v, d, 0x60040);
    end(&p);
    ck_assert_int_eq(memcmp(cpu, p.m.cpu, sizeof *cpu), 0);
    ck_assert_int_eq(memcmp(ram, p.m.ram, RAM), 0);
    free(cpu);
    free(ram);
    probe_free(&p);
  }
  disasm_destroy(d);
}
END_TEST

static struct seg random_segment(void) {
  return (struct seg){.sel = (u16)rnd(), .attr = (u32)rnd() & (rnd() & 3 ? 0xf0ff : 0x1f0ff),
                      .limit = (u32)rnd() >> (rnd() & 31), .base = rnd() & 1 ? rnd() & 0x3fffff : rnd()};
}

static void scramble(struct cpu *cpu) {
  for (unsigned k = 0; k < 16; k++) cpu->gpr[k] = rnd();
  for (unsigned k = 0; k < SREG_COUNT; k++) cpu->seg[k] = random_segment();
  cpu->ldtr = random_segment();
  cpu->tr = random_segment();
  if (rnd() & 1) cpu->tr.attr = SEG_P | (rnd() & 8) | 3;
  if (rnd() & 1) cpu->ldtr.attr = SEG_P | SYS_LDT;
  cpu->gdtr = (struct dtable){.base = rnd() & 1 ? rnd() & 0x3fffff : rnd(), .limit = (u16)(rnd() >> (rnd() & 15))};
  cpu->idtr = (struct dtable){.base = rnd() & 1 ? rnd() & 0x3fffff : rnd(), .limit = (u16)(rnd() >> (rnd() & 15))};
  cpu->rip = rnd();
  cpu->cr0 = rnd();
  cpu->cr2 = rnd();
  cpu->cr3 = rnd() & 1 ? rnd() & 0x3fffff : rnd();
  cpu->cr4 = rnd() & 0x1ffffff;
  cpu->cr8 = rnd();
  cpu->xcr0 = rnd();
  for (unsigned k = 0; k < 4; k++) cpu->pdpte[k] = rnd();
  for (unsigned k = 0; k < 8; k++) cpu->dr[k] = rnd();
  cpu->pkru = (u32)rnd();
  for (unsigned k = 0; k < MSR_SLOTS; k++) cpu->msr[k] = rnd();
  cpu_set_eflags(cpu, (u32)rnd());
  cpu->cpl = rnd() & 3;
  cpu->mxcsr = (u32)rnd() & 0xffff;
  for (unsigned k = 0; k < 8; k++) {
    cpu->x87.st[k].m = rnd();
    cpu->x87.st[k].se = (u16)(rnd() & 1 ? rnd() : rnd() & 0x8000 ? 0x7fff : 0);
  }
  cpu->x87.fcw = (u16)rnd();
  cpu->x87.fsw = (u16)rnd() & 0xc7ff;
  cpu->x87.top = rnd() & 7;
  cpu->x87.empty = (u8)rnd();
  for (unsigned k = 0; k < 32; k++)
    for (unsigned q = 0; q < 8; q++) cpu->vec[k].q[q] = rnd();
  cpu_update_mode(cpu);
}

/* Each line of the answer is JSON by itself. */
static void parse_lines(char *text) {
  char *save = NULL;
  for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    if (!j) ck_abort_msg("no JSON: %s", line);
    json_decref(j);
  }
}

START_TEST(garbage_in_every_mode) {
  static const char *const models[] = {"intel", "amd", "icelake", "zen4"};
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 0);
  struct disasm *d = disasm_create();
  struct cpu *before = malloc(sizeof *before);
  ck_assert_ptr_nonnull(before);
  for (unsigned k = 0; k < RAM / 8; k++) m_put(&p.m, k * 8u, rnd(), 8);
  for (unsigned round = 0; round < 48; round++) {
    memcpy(before, p.m.cpu, sizeof *before);
    p.v.before = round & 1 ? before : NULL;
    p.m.cpu->model = model_find(models[round & 3]);
    scramble(p.m.cpu);
    begin(&p, round >> 1 & 1);
    out_set_colour(p.v.out, round & 4);
    everything(&p.v, d, rnd());
    end(&p);
    ck_assert_uint_gt(p.n, 1000);
    if (round >> 1 & 1) parse_lines(p.text);
  }
  free(before);
  disasm_destroy(d);
  probe_free(&p);
}
END_TEST

Suite *suite_views(void);
Suite *suite_views(void) {
  Suite *s = suite_create("views");
  TCase *t = tcase_create("views");
  tcase_set_timeout(t, 60);
  tcase_add_test(t, gdt_of_long_mode);
  tcase_add_test(t, gdt_of_protected_mode);
  tcase_add_test(t, tables_that_cannot_be_read);
  tcase_add_test(t, ldt);
  tcase_add_test(t, idt_of_each_mode);
  tcase_add_test(t, tss_of_each_format);
  tcase_add_test(t, page_walk_of_four_levels);
  tcase_add_test(t, page_rights_of_supervisors);
  tcase_add_test(t, page_walks_of_other_modes);
  tcase_add_test(t, registers_and_changes);
  tcase_add_test(t, control_and_debug_registers);
  tcase_add_test(t, msrs);
  tcase_add_test(t, fpu_and_sse);
  tcase_add_test(t, cpuid_and_tlb);
  tcase_add_loop_test(t, views_change_nothing, 0, 2);
  tcase_add_test(t, garbage_in_every_mode);
  suite_add_tcase(s, t);
  return s;
}
