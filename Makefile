# A thin front for the CMake presets; `make help` lists the targets.
.PHONY: all
all:
	cmake --preset release
	cmake --build --preset release
