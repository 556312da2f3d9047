# `make check-oracle`: the vectors on other implementations of the processor. Not part of `check`: what is there to ask
# differs from machine to machine.

ORACLE := $(OBJ)/oracle
ORACLE_OBJS := $(patsubst %,$(OBJ)/tests/oracle/%.o,main judged handed kvm image image_case image_fpu image_run)
ORACLE_VECS ?= $(sort $(wildcard tests/vec/*.vec))
ORACLES ?= qemu bochs
ORACLE_CC = $(CC) -m32 -I. -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -mgeneral-regs-only

$(OBJ)/oracle-boot.bin: tests/oracle/boot.S tests/oracle/monitor.h | $(READY)
	@mkdir -p $(@D)
	$(call SAY,AS,$<)
	$(Q)$(ORACLE_CC) -c -o $@.o $<
	$(Q)ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o $@ $@.o
$(OBJ)/oracle-monitor.bin: tests/oracle/monitor.c tests/oracle/enter.S tests/oracle/monitor.ld tests/oracle/monitor.h | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(ORACLE_CC) -O2 -Wall -Wextra -Wno-array-bounds -c -o $@.c.o $<
	$(Q)$(ORACLE_CC) -c -o $@.S.o tests/oracle/enter.S
	$(Q)ld -m elf_i386 -T tests/oracle/monitor.ld -o $@.elf $@.S.o $@.c.o
	$(Q)objcopy -O binary $@.elf $@

$(ORACLE): $(ORACLE_OBJS) $(LIB) $(OBJ)/oracle-boot.bin $(OBJ)/oracle-monitor.bin
	$(call SAY,LD,$@)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $(ORACLE_OBJS) $(LIB) $(LIB_LIBS)
-include $(ORACLE_OBJS:.o=.d)

# Its tables in docs/conformance.md show the rows of tests/oracle/judged; `make oracle-tables` writes them.
ORACLE_DOC := docs/conformance.md
ORACLE_TABLES = awk -f tests/oracle/tables.awk tests/oracle/judged $(ORACLE_DOC)

.PHONY: check-oracle oracle-tables
check-oracle: $(ORACLE)
	@$(ORACLE_TABLES) | cmp - $(ORACLE_DOC)
	@status=0; for o in $(ORACLES); do echo "== $$o"; \
	  $(ORACLE) --image $(OBJ)/oracle $$o $(ORACLE_VECS) || [ $$? = 77 ] || status=1; done; exit $$status
oracle-tables:
	$(Q)$(ORACLE_TABLES) > $(OBJ)/conformance.md.new && cat $(OBJ)/conformance.md.new > $(ORACLE_DOC)
