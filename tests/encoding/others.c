/* The other decoders: Capstone and Zydis, in each mode. */
#include <Zydis/Zydis.h>
#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "tests/encoding/encoding.h"

const char *const other_names[EVERYBODY] = {"capstone", "zydis", "host"};

enum { IP = 0x1000 };
static csh capstone[CODE_MODES];
static cs_insn *scratch[CODE_MODES];
static ZydisDecoder zydis[CODE_MODES];

int others_open(void) {
  static const cs_mode cs[CODE_MODES] = {CS_MODE_64, CS_MODE_32, CS_MODE_16};
  static const struct { ZydisMachineMode mode; ZydisStackWidth stack; } zy[CODE_MODES] = {
    {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64}, {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
    {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16}};
  static const ZydisDecoderMode off[] = {ZYDIS_DECODER_MODE_KNC, ZYDIS_DECODER_MODE_MPX,
                                         ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_CLDEMOTE};
  for (unsigned m = 0; m < CODE_MODES; m++) {
    if (cs_open(CS_ARCH_X86, cs[m], &capstone[m]) != CS_ERR_OK) return -1;
    scratch[m] = cs_malloc(capstone[m]);
    if (!scratch[m] || ZYAN_FAILED(ZydisDecoderInit(&zydis[m], zy[m].mode, zy[m].stack))) return -1;
    for (unsigned k = 0; k < ARRAY_SIZE(off); k++)
      if (ZYAN_FAILED(ZydisDecoderEnableMode(&zydis[m], off[k], ZYAN_FALSE))) return -1;
  }
  return 0;
}

void others_close(void) {
  for (unsigned m = 0; m < CODE_MODES; m++) {
    if (scratch[m]) cs_free(scratch[m], 1);
    cs_close(&capstone[m]);
  }
}

static void by_capstone(const struct sample *s, struct verdict *out) {
  const u8 *p = s->bytes;
  size_t n = 15;
  u64 ip = IP;
  cs_insn *i = scratch[s->at.mode];
  if (!cs_disasm_iter(capstone[s->at.mode], &p, &n, &ip, i)) return;
  out->valid = true;
  out->len = i->size;
  snprintf(out->name, sizeof out->name, "%s", i->mnemonic);
  for (char *c = out->name; *c; c++)
    if (*c == ' ') *c = '_';
}

static void by_zydis(const struct sample *s, struct verdict *out) {
  ZydisDecodedInstruction i;
  if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&zydis[s->at.mode], NULL, s->bytes, 15, &i))) return;
  out->valid = true;
  out->len = i.length;
  snprintf(out->name, sizeof out->name, "%s", ZydisMnemonicGetString(i.mnemonic));
  snprintf(out->set, sizeof out->set, "%s", ZydisISASetGetString(i.meta.isa_set));
}

void other_decode(enum other who, const struct sample *s, struct verdict *out) {
  *out = (struct verdict){.name = "-", .set = "-"};
  if (who == CAPSTONE) by_capstone(s, out);
  else by_zydis(s, out);
}
