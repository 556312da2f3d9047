# `make check`: builds what its parts need, runs each part, and sums what they report.

.PHONY: check check-all

# A part is a shell command whose last line is "N passed, N failed"; the sum is the last line of all.
define run-parts
	@mkdir -p $(OBJ)/check
	@printf '%s\n' $(foreach c,$(1),'$(c)	$(CHECK_$(c))') > $(OBJ)/check/parts
	@tools/runchecks $(OBJ)/check
endef
check: all deps $(CHECK_NEEDS)
	$(call run-parts,$(CHECKS))
check-all: all deps deps-all $(CHECK_NEEDS)
	$(call run-parts,$(filter-out $(CHECKS_LONG:%-full=%),$(CHECKS)) $(CHECKS_LONG))
check-%: all deps $(CHECK_NEEDS)
	$(if $(CHECK_$*),,$(error no check named $*; there are: $(CHECKS) $(CHECKS_LONG)))
	$(call run-parts,$*)
