# Our decoder against Capstone and Zydis: one program over the library.

ENCODING := $(OBJ)/check-encoding
ENCODING_OBJS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/encoding/*.c) \
  $(filter-out tests/native/main.c,$(wildcard tests/native/*.c))) $(OBJ)/tests/native/enter.o

$(ENCODING): $(ENCODING_OBJS) $(LIB)
	$(call SAY,LD,$@)
	$(Q)$(CC) $(BASE_CFLAGS) -o $@ $(ENCODING_OBJS) $(LIB) $(LIB_LIBS) -lZydis
-include $(ENCODING_OBJS:.o=.d)

CHECKS += encoding
CHECK_encoding = $(ENCODING) --short tests/encoding/judged
CHECKS_LONG += encoding-full
CHECK_encoding-full = $(ENCODING) tests/encoding/judged
CHECKS_LONG += encoding-host
CHECK_encoding-host = $(ENCODING) --host tests/encoding/judged
CHECK_NEEDS += $(ENCODING)
