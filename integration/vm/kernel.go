package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// The modules that the guest needs before it sees this machine's files. The
// package of the kernel's cloud flavour lacks 9p, hence the plain one.
var earlyModules = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"}

// findKernel fills in the kernel, fetching and unpacking it if the cache has none.
func (m *Machine) findKernel(ctx context.Context, say func(string, ...any)) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("find kernel: the guest is amd64 only, this machine is %s and its own kernel has no IPVS", runtime.GOARCH)
	}
	root := filepath.Join(m.cache, "kernel")
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		if err := m.fetchKernel(ctx, root, say); err != nil {
			return fmt.Errorf("fetch kernel: %w", err)
		}
	}
	images, _ := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if len(images) != 1 {
		return fmt.Errorf("find kernel: %d images in %s, want one; remove the folder to fetch it again", len(images), root)
	}
	m.kernel = images[0]
	m.release = strings.TrimPrefix(filepath.Base(m.kernel), "vmlinuz-")
	m.modules = filepath.Join(root, "lib", "modules")

	list, err := os.ReadFile(filepath.Join(root, "early"))
	if err != nil {
		return fmt.Errorf("find kernel: %w", err)
	}
	for name := range strings.Lines(string(list)) {
		m.early = append(m.early, filepath.Join(root, strings.TrimSpace(name)))
	}
	return nil
}

// fetchKernel unpacks the package that linux-image-amd64 depends on into root.
// It is not installed. The folder appears when all is in it.
func (m *Machine) fetchKernel(ctx context.Context, root string, say func(string, ...any)) error {
	name, err := kernelPackage(ctx)
	if err != nil {
		return err
	}
	say("fetching %s", name)
	tmp, err := os.MkdirTemp(m.cache, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	// As root, apt-get would download as the user _apt, who may not write to our folder.
	if _, err := output(ctx, tmp, "apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", name); err != nil {
		return err
	}
	debs, _ := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if len(debs) != 1 {
		return fmt.Errorf("apt-get download %s: left %d packages, want one", name, len(debs))
	}
	tree := filepath.Join(tmp, "kernel")
	if _, err := output(ctx, tmp, "dpkg", "-x", debs[0], tree); err != nil {
		return err
	}
	if err := indexModules(ctx, tree); err != nil {
		return err
	}
	return os.Rename(tree, root)
}

// kernelPackage returns the name of the package that linux-image-amd64 stands for.
func kernelPackage(ctx context.Context) (string, error) {
	for _, update := range []bool{false, true} {
		if update {
			if os.Geteuid() != 0 {
				break
			}
			if _, err := output(ctx, "/", "apt-get", "update", "-qq"); err != nil {
				return "", err
			}
		}
		// An error means that apt knows no such package yet: then the lists are fetched.
		text, _ := output(ctx, "/", "apt-cache", "depends", "linux-image-amd64")
		if name := parseDepends(text); name != "" {
			return name, nil
		}
	}
	return "", errors.New("apt knows no package linux-image-amd64; apt-get update as root, or a Debian machine, may help")
}

var dependsKernel = regexp.MustCompile(`(?m)^\s*Depends: (linux-image-\S+)$`)

// parseDepends finds the kernel's package in what `apt-cache depends` printed.
func parseDepends(text string) string {
	if match := dependsKernel.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}

// indexModules makes the modules in tree loadable by modprobe, and writes the
// list of those that the guest loads first: the package has neither, since
// its own installation would make them.
func indexModules(ctx context.Context, tree string) error {
	if _, err := os.Stat(filepath.Join(tree, "lib")); errors.Is(err, os.ErrNotExist) {
		if err := os.Symlink("usr/lib", filepath.Join(tree, "lib")); err != nil { // Debian 13 on
			return err
		}
	}
	releases, err := os.ReadDir(filepath.Join(tree, "lib", "modules"))
	if err != nil || len(releases) != 1 {
		return fmt.Errorf("find modules: %d kernels in the package: %w", len(releases), err)
	}
	release := releases[0].Name()
	if _, err := output(ctx, "/", "depmod", "-b", tree, release); err != nil {
		return err
	}
	var list []string
	seen := map[string]bool{}
	for _, name := range earlyModules {
		text, err := output(ctx, "/", "modprobe", "-d", tree, "-S", release, "--show-depends", name)
		if err != nil {
			return err
		}
		for _, path := range parseShowDepends(text) {
			rel, err := filepath.Rel(tree, path)
			if err != nil {
				return fmt.Errorf("find module %s: %w", name, err)
			}
			if !seen[rel] {
				seen[rel] = true
				list = append(list, rel)
			}
		}
	}
	return os.WriteFile(filepath.Join(tree, "early"), []byte(strings.Join(list, "\n")), 0o644)
}

// parseShowDepends returns the files in what `modprobe --show-depends` printed:
// "insmod PATH [options]" in the order of loading, "builtin NAME" for none.
func parseShowDepends(text string) []string {
	var paths []string
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == "insmod" {
			paths = append(paths, words[1])
		}
	}
	return paths
}
