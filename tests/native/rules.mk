# The differential tester: one program over the library; its parts are in tests/native/main.c.

NATIVE := $(OBJ)/check-native
NATIVE_OBJS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/native/*.c)) $(OBJ)/tests/native/enter.o

$(OBJ)/tests/native/enter.o: tests/native/enter.S tests/native/enter.h | $(READY)
	@mkdir -p $(@D)
	$(call SAY,AS,$<)
	$(Q)$(CC) -I. -c -o $@ $<

$(NATIVE): $(NATIVE_OBJS) $(LIB)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $(NATIVE_OBJS) $(LIB) $(LIB_LIBS)
-include $(NATIVE_OBJS:.o=.d)

CHECKS += native
CHECK_native = $(NATIVE) --short --uncompared tests/native/uncompared
# The same on a host without AVX-512: cpu/wide.h.
CHECKS += native-lanes
CHECK_native-lanes = RINGWALK_HOST=baseline $(NATIVE) --short --row 'V*'
CHECKS_LONG += native-full
CHECK_native-full = $(NATIVE) --uncompared tests/native/uncompared
CHECK_NEEDS += $(NATIVE)

check-native: deps $(NATIVE)
	$(NATIVE) --uncompared tests/native/uncompared
