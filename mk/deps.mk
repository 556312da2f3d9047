# Packages: Debian's, installed with apt when missing; test programs of both architectures, unpacked aside.

.PHONY: deps
deps:
	@tools/deps tests/packages $(DEBS)
