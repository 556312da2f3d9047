# The demonstration ROMs, against their manifest; `make check-roms-qemu` where qemu-system-x86_64 is installed.

CHECKS += roms
CHECK_roms = tests/roms/check $(RINGWALK) $(OBJ)/roms
CHECK_NEEDS += $(RINGWALK) $(ROM_DEMO_BINS)
CHECKS += boot
CHECK_boot = tests/roms/boot $(RINGWALK) $(OBJ)/roms

ifneq ($(shell command -v qemu-system-x86_64),)
CHECKS_LONG += roms-qemu
CHECK_roms-qemu = tests/roms/check --qemu qemu-system-x86_64 $(OBJ)/roms
endif
