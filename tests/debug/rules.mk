# The debugger: docs/debugger.md line by line, and every command. The programs have no C library, so that their addresses
# are the same on every machine.

DEBUG_PROGRAMS_64 := getpid64 segv lines64 acts64
DEBUG_PROGRAMS_32 := getpid32 getpidvdso lines32 acts32
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
$(OBJ)/debug/%: tests/debug/%.S | $(READY)
	@mkdir -p $(@D)
	$(call SAY,AS,$@)
	$(Q)$(CC) $(DEBUG_WIDTH) $(DEBUG_FLAGS) -o $@ $<

guests: $(DEBUG_PROGRAMS)

CHECKS += debugdoc debug
CHECK_debugdoc = tests/debug/tutorial $(RINGWALK) $(OBJ) docs/debugger.md
CHECK_debug = tests/debug/check $(RINGWALK) $(OBJ)
CHECK_NEEDS += $(RINGWALK) $(DEBUG_PROGRAMS)
