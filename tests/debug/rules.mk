# The debugger: docs/debugger.md line by line, and every command. The programs have no C library, so that their addresses
# are the same on every machine.

DEBUG_PROGRAMS_64 := getpid64 segv lines64 acts64 places64
DEBUG_PROGRAMS_32 := getpid32 getpidvdso lines32 acts32 places32
DEBUG_PROGRAMS := $(DEBUG_PROGRAMS_64:%=$(OBJ)/debug/%) $(DEBUG_PROGRAMS_32:%=$(OBJ)/debug/%)
DEBUG_FLAGS := -g -O0 -Wall -Wextra -ffreestanding -fno-builtin -fno-stack-protector -fcf-protection=none -fno-pie -no-pie \
  -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack

$(DEBUG_PROGRAMS_64:%=$(OBJ)/debug/%): DEBUG_WIDTH := -m64
$(DEBUG_PROGRAMS_32:%=$(OBJ)/debug/%): DEBUG_WIDTH := -m32
$(OBJ)/debug/lines%: tests/debug/lines.c | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$@)
	$(Q)$(CC) $(DEBUG_WIDTH) $(DEBUG_FLAGS) -o $@ $<
$(OBJ)/debug/acts%: tests/debug/acts.c | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$@)
	$(Q)$(CC) $(DEBUG_WIDTH) $(DEBUG_FLAGS) -o $@ $<
$(OBJ)/debug/places%: tests/debug/places.c tests/debug/places_other.c tests/debug/places.h | $(READY)
	@mkdir -p $(@D)
	$(call SAY,CC,$@)
	$(Q)$(CC) $(DEBUG_WIDTH) $(DEBUG_FLAGS) -I. -o $@ $(filter %.c,$^)
$(OBJ)/debug/%: tests/debug/%.S | $(READY)
	@mkdir -p $(@D)
	$(call SAY,AS,$@)
	$(Q)$(CC) $(DEBUG_WIDTH) $(DEBUG_FLAGS) -o $@ $<

# A boot sector, and beside it the ELF file that has its symbols.
$(OBJ)/debug/boot16.o: tests/debug/boot16.S | $(READY)
	@mkdir -p $(@D)
	$(call SAY,AS,$@)
	$(Q)$(CC) -m32 -g -c -o $@ $<
$(OBJ)/debug/boot16.elf: $(OBJ)/debug/boot16.o
	$(Q)ld -m elf_i386 -Ttext 0x7c00 -e _start --build-id=none -o $@ $<
$(OBJ)/debug/boot16.bin: $(OBJ)/debug/boot16.elf
	$(Q)objcopy -O binary -j .text $< $@

guests: $(DEBUG_PROGRAMS) $(OBJ)/debug/boot16.bin

CHECKS += debugdoc debug
CHECK_debugdoc = tests/debug/tutorial $(RINGWALK) $(OBJ) docs/debugger.md
CHECK_debug = tests/debug/check $(RINGWALK) $(OBJ)
CHECK_NEEDS += $(RINGWALK) $(DEBUG_PROGRAMS) $(OBJ)/debug/boot16.bin
