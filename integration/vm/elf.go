package vm

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// checkStatic refuses a program that needs a dynamic linker: there is none in
// the initial RAM disk.
func checkStatic(program []byte) error {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("read program: %w", err)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("is dynamically linked and cannot be the guest's first process: build it with CGO_ENABLED=0")
		}
	}
	return nil
}
