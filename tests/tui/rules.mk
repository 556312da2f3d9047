# The TUI, driven through tmux: its screens at two sizes, resizing, keys, and the terminal behind it.

TUI_PROGRAMS := $(OBJ)/debug/getpid64 $(OBJ)/debug/getpid32 $(OBJ)/debug/lines64 $(OBJ)/tui/spin
$(OBJ)/tui/spin: tests/tui/spin.S | $(READY)
	@mkdir -p $(@D)
	$(call SAY,AS,$@)
	$(Q)$(CC) -m64 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -o $@ $<

ifneq ($(APP_SRCS),)
# Not under sanitizers: the suite has time limits of its own.
ifndef SAN
CHECKS += tui
CHECK_tui = tests/tui/check $(RINGWALK) $(OBJ)
CHECK_NEEDS += $(RINGWALK) $(TUI_PROGRAMS) $(OBJ)/roms/rings.bin
endif
endif
